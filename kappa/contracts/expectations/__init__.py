"""Expectations: what data is promised to be like, one frozen rule each.

The names and arguments are Great Expectations', and so are the answers where both have the
expectation: a test compares them on the same data. The classes behind the names are the
parts: `values` (one field of a record), `records` (several), `series` (a window's records
together), `statistics` (a number of a window) and `drift` (a distribution).

>>> from kappa.contracts.expectations import expect_column_values_to_be_between
>>> from kappa.batch import Batch
>>> positive = expect_column_values_to_be_between("price", min_value=0, strict_min=True)
>>> positive.verdicts(Batch.of_columns({"price": [3, 0, None]}, [0, 0, 0]))
[True, False, None]
>>> positive.reason(0)
'price: 0 is not above 0'
"""

from kappa.contracts.expectations.distribution import Distribution
from kappa.contracts.expectations.drift import Kl as expect_column_kl_divergence_to_be_less_than
from kappa.contracts.expectations.drift import Ks as expect_column_ks_statistic_to_be_less_than
from kappa.contracts.expectations.drift import Psi as expect_column_psi_to_be_less_than
from kappa.contracts.expectations.expectation import (
    EXAMPLES,
    Expectation,
    Judged,
    Metric,
    RecordExpectation,
    WindowExpectation,
)
from kappa.contracts.expectations.records import (
    ColumnsMatchSet as expect_table_columns_to_match_set,
)
from kappa.contracts.expectations.records import Equal as expect_column_pair_values_to_be_equal
from kappa.contracts.expectations.records import (
    Greater as expect_column_pair_values_a_to_be_greater_than_b,
)
from kappa.contracts.expectations.records import HasColumn as expect_column_to_exist
from kappa.contracts.expectations.records import PairInSet as expect_column_pair_values_to_be_in_set
from kappa.contracts.expectations.records import SumEquals as expect_multicolumn_sum_to_equal
from kappa.contracts.expectations.records import (
    UniqueWithin as expect_select_column_values_to_be_unique_within_record,
)
from kappa.contracts.expectations.references import InTopic as expect_column_values_to_be_in_topic
from kappa.contracts.expectations.registry import expectation_of
from kappa.contracts.expectations.series import Decreasing as expect_column_values_to_be_decreasing
from kappa.contracts.expectations.series import Increasing as expect_column_values_to_be_increasing
from kappa.contracts.expectations.series import Unique as expect_column_values_to_be_unique
from kappa.contracts.expectations.series import (
    UniqueTogether as expect_compound_columns_to_be_unique,
)
from kappa.contracts.expectations.statistics import (
    DistinctContainsSet as expect_column_distinct_values_to_contain_set,
)
from kappa.contracts.expectations.statistics import (
    DistinctCount as expect_column_unique_value_count_to_be_between,
)
from kappa.contracts.expectations.statistics import (
    DistinctEqualsSet as expect_column_distinct_values_to_equal_set,
)
from kappa.contracts.expectations.statistics import (
    DistinctInSet as expect_column_distinct_values_to_be_in_set,
)
from kappa.contracts.expectations.statistics import (
    DistinctShare as expect_column_proportion_of_unique_values_to_be_between,
)
from kappa.contracts.expectations.statistics import Max as expect_column_max_to_be_between
from kappa.contracts.expectations.statistics import Mean as expect_column_mean_to_be_between
from kappa.contracts.expectations.statistics import Median as expect_column_median_to_be_between
from kappa.contracts.expectations.statistics import Min as expect_column_min_to_be_between
from kappa.contracts.expectations.statistics import (
    MostCommonInSet as expect_column_most_common_value_to_be_in_set,
)
from kappa.contracts.expectations.statistics import (
    PresentShare as expect_column_proportion_of_non_null_values_to_be_between,
)
from kappa.contracts.expectations.statistics import (
    Quantiles as expect_column_quantile_values_to_be_between,
)
from kappa.contracts.expectations.statistics import RowCount as expect_table_row_count_to_be_between
from kappa.contracts.expectations.statistics import (
    RowCountEquals as expect_table_row_count_to_equal,
)
from kappa.contracts.expectations.statistics import Stdev as expect_column_stdev_to_be_between
from kappa.contracts.expectations.statistics import Sum as expect_column_sum_to_be_between
from kappa.contracts.expectations.values import Between as expect_column_values_to_be_between
from kappa.contracts.expectations.values import InSet as expect_column_values_to_be_in_set
from kappa.contracts.expectations.values import (
    InTypeList as expect_column_values_to_be_in_type_list,
)
from kappa.contracts.expectations.values import (
    JsonParseable as expect_column_values_to_be_json_parseable,
)
from kappa.contracts.expectations.values import (
    LengthsBetween as expect_column_value_lengths_to_be_between,
)
from kappa.contracts.expectations.values import LengthsEqual as expect_column_value_lengths_to_equal
from kappa.contracts.expectations.values import Matches as expect_column_values_to_match_regex
from kappa.contracts.expectations.values import (
    MatchesStrftime as expect_column_values_to_match_strftime_format,
)
from kappa.contracts.expectations.values import NotInSet as expect_column_values_to_not_be_in_set
from kappa.contracts.expectations.values import (
    NotMatches as expect_column_values_to_not_match_regex,
)
from kappa.contracts.expectations.values import NotNull as expect_column_values_to_not_be_null
from kappa.contracts.expectations.values import Null as expect_column_values_to_be_null
from kappa.contracts.expectations.values import OfType as expect_column_values_to_be_of_type

__all__ = [
    "EXAMPLES",
    "Distribution",
    "Expectation",
    "Judged",
    "Metric",
    "RecordExpectation",
    "WindowExpectation",
    "expect_column_distinct_values_to_be_in_set",
    "expect_column_distinct_values_to_contain_set",
    "expect_column_distinct_values_to_equal_set",
    "expect_column_kl_divergence_to_be_less_than",
    "expect_column_ks_statistic_to_be_less_than",
    "expect_column_max_to_be_between",
    "expect_column_mean_to_be_between",
    "expect_column_median_to_be_between",
    "expect_column_min_to_be_between",
    "expect_column_most_common_value_to_be_in_set",
    "expect_column_pair_values_a_to_be_greater_than_b",
    "expect_column_pair_values_to_be_equal",
    "expect_column_pair_values_to_be_in_set",
    "expect_column_proportion_of_non_null_values_to_be_between",
    "expect_column_proportion_of_unique_values_to_be_between",
    "expect_column_psi_to_be_less_than",
    "expect_column_quantile_values_to_be_between",
    "expect_column_stdev_to_be_between",
    "expect_column_sum_to_be_between",
    "expect_column_to_exist",
    "expect_column_unique_value_count_to_be_between",
    "expect_column_value_lengths_to_be_between",
    "expect_column_value_lengths_to_equal",
    "expect_column_values_to_be_between",
    "expect_column_values_to_be_decreasing",
    "expect_column_values_to_be_in_set",
    "expect_column_values_to_be_in_topic",
    "expect_column_values_to_be_in_type_list",
    "expect_column_values_to_be_increasing",
    "expect_column_values_to_be_json_parseable",
    "expect_column_values_to_be_null",
    "expect_column_values_to_be_of_type",
    "expect_column_values_to_be_unique",
    "expect_column_values_to_match_regex",
    "expect_column_values_to_match_strftime_format",
    "expect_column_values_to_not_be_in_set",
    "expect_column_values_to_not_be_null",
    "expect_column_values_to_not_match_regex",
    "expect_compound_columns_to_be_unique",
    "expect_multicolumn_sum_to_equal",
    "expect_select_column_values_to_be_unique_within_record",
    "expect_table_columns_to_match_set",
    "expect_table_row_count_to_be_between",
    "expect_table_row_count_to_equal",
    "expectation_of",
]
