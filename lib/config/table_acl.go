package config

// aclOptions concern rights.
var aclOptions = []Option{
	{Name: "acl_admin_implies_write", Type: Switch, Default: "no", Since: "3.6.0", Changed: "3.6.0",
		Help: "holding the a right also confers s w i t e n on that mailbox"},
	{Name: "allowsetacl", Type: Switch, Default: "yes", Since: "3.2.0", Changed: "3.1.8",
		Help: "off forbids SETACL/DELETEACL over IMAP for everybody"},
	{Name: "anyoneuseracl", Type: Switch, Default: "yes", Since: "2.3.17", Changed: "2.3.17",
		Help: "whether non-admins may name \"anyone\" in ACLs of their own mailboxes"},
	{Name: "defaultacl", Type: String, Default: "anyone lrs", Since: "2.3.17", Changed: "2.3.17",
		Help: "ACL given to a new top-level shared mailbox (no parent to inherit from); id/rights pairs separated by blanks"},
	{Name: "deleteright", Type: String, Default: "c", Since: "2.3.17", Changed: "2.3.17",
		Help: "which legacy letter (RFC 2086 style) also carries the x right when an ACL is parsed"},
	{Name: "implicit_owner_rights", Type: String, Default: "lkxan", Since: "2.3.17", Changed: "3.1.2",
		Help: "rights the owner always keeps on own mailboxes whatever the stored ACL says"},
	{Name: "loginuseacl", Type: Switch, Default: "no", Since: "2.3.17", Changed: "2.3.17",
		Help: "lets a login act as another user when it holds a on that user's INBOX"},
	{Name: "reverseacls", Type: Switch, Default: "no", Since: "3.0.0", Changed: "3.0.0",
		Help: "maintain per-identifier reverse ACL records in mailboxes.db (added/removed by ctl_cyrusdb -r)"},
	{Name: "unix_group_enable", Type: Switch, Default: "yes", Since: "2.3.17", Changed: "2.3.17",
		Help: "look up OS groups for group:NAME identifiers (auth_mech unix); off avoids slow getgrent"},
}
