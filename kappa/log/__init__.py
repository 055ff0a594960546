"""The log: topics, partitions and the journal that orders them."""
