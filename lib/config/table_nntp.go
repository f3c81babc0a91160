package config

// nntpOptions concern nntpd.
var nntpOptions = []Option{
	{Name: "allownewnews", Type: Switch, Default: "no", Since: "2.3.17", Changed: "2.3.17",
		Help: "permit NEWNEWS"},
	{Name: "newsaddheaders", Type: Bitfield, Default: "to", Since: "2.4.14", Changed: "2.5.0",
		Allowed: words("to replyto"),
		Help:    "headers synthesised on incoming articles"},
	{Name: "newsgroups", Type: String, Default: "*", Since: "2.4.0", Changed: "2.4.0",
		Help: "wildmat of mailboxes treated as groups"},
	{Name: "newsmaster", Type: String, Default: "news", Since: "2.3.17", Changed: "2.3.17",
		Help: "user whose rights apply to control messages"},
	{Name: "newspeer", Type: String, Null: true, Since: "2.3.17", Changed: "2.3.17",
		Help: "upstream feeds [user[:pass]@]host[:port][/wildmat]"},
	{Name: "newspostuser", Type: String, Null: true, Since: "2.3.17", Changed: "2.5.0",
		Help: "mail user whose +group addresses post articles"},
	{Name: "newsprefix", Type: String, Null: true, Since: "2.3.17", Changed: "2.3.17",
		Help: "mailbox prefix for groups"},
	{Name: "newsrc_db_path", Type: String, Null: true, Since: "2.4.9", Changed: "2.5.0",
		Help: "fetchnews database; unset means configdirectory/fetchnews.db"},
	{Name: "nntptimeout", Type: Duration, Unit: 'm', Default: "3m", Since: "2.3.17", Changed: "3.1.8",
		Help: "inactivity logout, at least 3 minutes"},
}
