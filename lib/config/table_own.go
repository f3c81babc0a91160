package config

// ownOptions are those that Cyrus 3.10 does not have: our own, and options of
// 3.12 that this server honours already.
var ownOptions = []Option{
	{Name: "allowspecialusesubfolder", Type: Switch, Default: "no", Since: "3.12.0", Changed: "3.12.0",
		Help: "special-use mailboxes may live below the top level"},
	{Name: "index_version", Type: Int, Default: "0", Since: "3.10.3", Changed: "3.10.3",
		Help: "cyrus.index version of new mailboxes, 12 to 17 or 19, and 0 for the newest; a site that may go back to Cyrus 3.6 sets 17"},
	{Name: "mupdate_etcd_ca_file", Type: String, Null: true, Since: "3.10.3", Changed: "3.10.3",
		Help: "file of the authorities that etcd's certificates are checked against; the system's without it"},
	{Name: "mupdate_etcd_client_cert", Type: String, Null: true, Since: "3.10.3", Changed: "3.10.3",
		Help: "file of the certificate that a mupdate master shows to etcd"},
	{Name: "mupdate_etcd_client_key", Type: String, Null: true, Since: "3.10.3", Changed: "3.10.3",
		Help: "file of the key of mupdate_etcd_client_cert"},
	{Name: "mupdate_etcd_password", Type: String, Null: true, Since: "3.10.3", Changed: "3.10.3",
		Help: "password of mupdate_etcd_username"},
	{Name: "mupdate_etcd_prefix", Type: String, Default: "/mupdate/", Since: "3.10.3", Changed: "3.10.3",
		Help: "what all keys of the mailbox list in etcd begin with; masters of one Murder have the same"},
	{Name: "mupdate_etcd_servers", Type: String, Null: true, Since: "3.10.3", Changed: "3.10.3",
		Help: "URLs of the members of an etcd that has the mailbox list of a Murder; a mupdate master keeps it in mailboxes.db alone without it"},
	{Name: "mupdate_etcd_timeout", Type: Duration, Unit: 's', Default: "5s", Since: "3.10.3", Changed: "3.10.3",
		Help: "how long a mupdate master waits for etcd before it refuses a command"},
	{Name: "mupdate_etcd_username", Type: String, Null: true, Since: "3.10.3", Changed: "3.10.3",
		Help: "who a mupdate master is in an etcd that asks"},
	{Name: "sessions_per_process", Type: Int, Default: "5000", Since: "3.10.3", Changed: "3.10.3",
		Help: "sessions that one service process takes before master starts another"},
}
