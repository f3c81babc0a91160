package config

// quotaOptions concern quotas.
var quotaOptions = []Option{
	{Name: "quota_db", Type: StringList, Default: "quotalegacy", Since: "2.3.17", Changed: "3.1.6",
		Allowed: words("flat skiplist sql quotalegacy twoskip zeroskip"),
		Help:    "format of the quota store"},
	{Name: "quota_db_path", Type: String, Null: true, Since: "2.4.9", Changed: "2.5.0",
		Help: "its location; unset means configdirectory/quota/ or quotas.db"},
	{Name: "quota_use_conversations", Type: Switch, Default: "no", Since: "3.4.0", Changed: "3.3.0",
		Help: "count identical messages once"},
	{Name: "quotawarn", Type: Int, Default: "90", Since: "2.3.17", Changed: "3.8.0", Deprecated: "3.8.0", UseInstead: "quotawarnpercent",
		Help: "old spelling of quotawarnpercent"},
	{Name: "quotawarnkb", Type: ByteSize, Unit: 'K', Null: true, Since: "2.3.17", Changed: "3.8.0", Deprecated: "3.8.0", UseInstead: "quotawarnsize",
		Help: "old spelling of quotawarnsize"},
	{Name: "quotawarnmsg", Type: Int, Default: "0", Since: "2.5.0", Changed: "2.5.0",
		Help: "remaining messages below which SELECT warns"},
	{Name: "quotawarnpercent", Type: Int, Default: "90", Since: "3.8.0", Changed: "3.8.0",
		Help: "usage percent from which SELECT warns"},
	{Name: "quotawarnsize", Type: ByteSize, Unit: 'K', Default: "0", Since: "3.8.0", Changed: "3.8.0",
		Help: "remaining storage below which SELECT warns; 0 always"},
}
