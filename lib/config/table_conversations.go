package config

// conversationsOptions concern conversations.
var conversationsOptions = []Option{
	{Name: "conversations", Type: Switch, Default: "no", Since: "3.0.0", Changed: "3.0.0",
		Help: "track threads in per-user databases and offer XCONVERSATIONS"},
	{Name: "conversations_counted_flags", Type: String, Null: true, Since: "3.0.0", Changed: "3.0.0",
		Help: "flags counted per thread"},
	{Name: "conversations_db", Type: StringList, Default: "skiplist", Since: "3.0.0", Changed: "3.1.6",
		Allowed: words("skiplist sql twoskip zeroskip"),
		Help:    "format of conversations.db"},
	{Name: "conversations_expire_after", Type: Duration, Unit: 'd', Default: "90d", Since: "3.2.0", Changed: "3.1.8",
		Help: "how long idle thread tracking is kept"},
	{Name: "conversations_expire_days", Type: Duration, Unit: 'd', Null: true, Since: "3.0.0", Changed: "3.1.8", Deprecated: "3.1.8", UseInstead: "conversations_expire_after",
		Help: "old spelling of conversations_expire_after"},
	{Name: "conversations_keep_existing", Type: Switch, Default: "yes", Since: "3.4.0", Changed: "3.3.0",
		Help: "keep tracking while a message of the thread still exists"},
	{Name: "conversations_max_guidexists", Type: Int, Default: "100", Since: "3.4.0", Changed: "3.3.0",
		Help: "copies of one message allowed"},
	{Name: "conversations_max_guidinfolder", Type: Int, Default: "10", Since: "3.4.0", Changed: "3.3.0",
		Help: "copies of one message allowed per folder"},
	{Name: "conversations_max_guidrecords", Type: Int, Default: "5000", Since: "3.4.0", Changed: "3.3.0",
		Help: "records of one message allowed, expunged ones included"},
	{Name: "conversations_max_thread", Type: Int, Default: "100", Since: "3.2.0", Changed: "3.1.1",
		Help: "messages per thread before it splits"},
}
