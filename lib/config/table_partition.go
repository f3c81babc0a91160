package config

// partitionOptions concern choosing a partition.
var partitionOptions = []Option{
	{Name: "defaultpartition", Type: String, Null: true, Since: "2.3.17", Changed: "2.3.17",
		Help: "partition for new mailboxes; unset picks by partition_select_mode; letters and digits only, folded to lower case"},
	{Name: "partition_select_exclude", Type: String, Null: true, Since: "2.5.0", Changed: "2.5.0",
		Help: "partitions never picked"},
	{Name: "partition_select_mode", Type: StringList, Default: "freespace-most", Since: "2.5.0", Changed: "2.5.0",
		Allowed: words("random freespace-most freespace-percent-most freespace-percent-weighted freespace-percent-weighted-delta"),
		Help:    "how a partition is picked"},
	{Name: "partition_select_soft_usage_limit", Type: Int, Default: "0", Since: "2.5.0", Changed: "2.5.0",
		Help: "skip partitions fuller than this percent"},
	{Name: "partition_select_usage_reinit", Type: Int, Default: "0", Since: "2.5.0", Changed: "2.5.0",
		Help: "choices made before disk usage is read again"},
}
