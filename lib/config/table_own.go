package config

// ownOptions are those that Cyrus 3.10 does not have: our own, and options of
// 3.12 that this server honours already.
var ownOptions = []Option{
	{Name: "allowspecialusesubfolder", Type: Switch, Default: "no", Since: "3.12.0", Changed: "3.12.0",
		Help: "special-use mailboxes may live below the top level"},
	{Name: "sessions_per_process", Type: Int, Default: "5000", Since: "3.10.3", Changed: "3.10.3",
		Help: "sessions that one service process takes before master starts another"},
}
