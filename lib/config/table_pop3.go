package config

// pop3Options concern pop3d.
var pop3Options = []Option{
	{Name: "popexpiretime", Type: Duration, Unit: 'd', Default: "-1", Since: "2.3.17", Changed: "3.1.8",
		Help: "value of EXPIRE in CAPA in whole days; negative is NEVER"},
	{Name: "popminpoll", Type: Duration, Unit: 'm', Null: true, Since: "2.3.17", Changed: "3.1.8",
		Help: "shortest time between logins to one maildrop"},
	{Name: "poppollpadding", Type: Int, Default: "1", Since: "2.3.17", Changed: "2.3.17",
		Help: "logins allowed in a burst before popminpoll bites"},
	{Name: "popsubfolders", Type: Switch, Default: "no", Since: "2.3.17", Changed: "2.3.17",
		Help: "userid+folder opens a subfolder"},
	{Name: "poptimeout", Type: Duration, Unit: 'm', Default: "10m", Since: "2.3.17", Changed: "3.1.8",
		Help: "inactivity logout, at least 10 minutes"},
	{Name: "popuseacl", Type: Switch, Default: "no", Since: "2.3.17", Changed: "2.3.17",
		Help: "apply r, t and s rights in POP3"},
	{Name: "popuseimapflags", Type: Switch, Default: "no", Since: "2.3.17", Changed: "2.3.17",
		Help: "hide \\Deleted, set \\Seen, clear \\Recent in POP3"},
	{Name: "uidl_format", Type: Enum, Default: "cyrus", Since: "3.0.0", Changed: "3.0.0",
		Allowed: words("uidonly cyrus dovecot courier"),
		Help:    "layout of UIDL values"},
}
