package config

// ownOptions are those that Cyrus 3.10 does not have: our own, and options of
// 3.12 that this server honours already.
var ownOptions = []Option{
	{Name: "allowspecialusesubfolder", Type: Switch, Default: "no", Since: "3.12.0", Changed: "3.12.0",
		Help: "special-use mailboxes may live below the top level"},
	{Name: "index_version", Type: Int, Default: "0", Since: "3.10.3", Changed: "3.10.3",
		Help: "cyrus.index version of new mailboxes, 12 to 17 or 19, and 0 for the newest; a site that may go back to Cyrus 3.6 sets 17"},
	{Name: "sessions_per_process", Type: Int, Default: "5000", Since: "3.10.3", Changed: "3.10.3",
		Help: "sessions that one service process takes before master starts another"},
}
