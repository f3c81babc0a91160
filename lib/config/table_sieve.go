package config

// sieveOptions concern Sieve.
var sieveOptions = []Option{
	{Name: "rfc3028_strict", Type: Switch, Default: "yes", Since: "2.3.17", Changed: "2.3.17",
		Help: "only address headers in address tests, only from/to in envelope tests"},
	{Name: "sieve_allowreferrals", Type: Switch, Default: "yes", Since: "2.3.17", Changed: "2.3.17",
		Help: "ManageSieve sends referrals in a murder; off proxies"},
	{Name: "sieve_duplicate_max_expiration", Type: Duration, Unit: 's', Default: "90d", Since: "3.2.0", Changed: "3.1.8",
		Help: "ceiling of duplicate test expiry"},
	{Name: "sieve_extensions", Type: Bitfield, Default: "fileinto reject vacation vacation-seconds notify include envelope environment body relational regex subaddress copy date index imap4flags mailbox mboxmetadata servermetadata variables editheader extlists duplicate ihave fcc special-use redirect-dsn redirect-deliverby mailboxid vnd.cyrus.log vnd.cyrus.jmapquery vnd.cyrus.imip snooze vnd.cyrus.implicit_keep_target", Since: "2.3.17", Changed: "3.10.0",
		Allowed: words("fileinto reject vacation vacation-seconds notify include envelope environment body relational regex " +
			"subaddress copy date index imap4flags=imapflags mailbox mboxmetadata servermetadata variables " +
			"editheader extlists duplicate ihave fcc special-use redirect-dsn redirect-deliverby mailboxid " +
			"vnd.cyrus.log=x-cyrus-log vnd.cyrus.jmapquery=x-cyrus-jmapquery vnd.cyrus.imip " +
			"snooze=vnd.cyrus.snooze=x-cyrus-snooze vnd.cyrus.implicit_keep_target"),
		Help: "extensions scripts may require at upload"},
	{Name: "sieve_folder", Type: String, Default: "#sieve", Since: "3.6.0", Changed: "3.6.0",
		Help: "mailbox storing scripts"},
	{Name: "sieve_maxscripts", Type: Int, Default: "5", Since: "2.3.17", Changed: "2.3.17",
		Help: "scripts per user"},
	{Name: "sieve_maxscriptsize", Type: ByteSize, Unit: 'K', Default: "32K", Since: "2.3.17", Changed: "3.8.0",
		Help: "largest script"},
	{Name: "sieve_sasl_send_unsolicited_capability", Type: Switch, Default: "no", Since: "2.3.17", Changed: "2.3.17",
		Help: "send capabilities after ManageSieve authentication"},
	{Name: "sieve_use_lmtp_reject", Type: Switch, Default: "yes", Since: "3.2.0", Changed: "3.1.1",
		Help: "reject with 550 at LMTP time when possible"},
	{Name: "sieve_utf8fileinto", Type: Switch, Default: "no", Since: "2.3.17", Changed: "2.3.17",
		Help: "fileinto names are UTF-8, not modified UTF-7"},
	{Name: "sieve_vacation_max_response", Type: Duration, Unit: 's', Default: "90d", Since: "2.5.0", Changed: "3.1.8",
		Help: "longest vacation interval, at least 7 days"},
	{Name: "sieve_vacation_min_response", Type: Duration, Unit: 's', Default: "3d", Since: "2.5.0", Changed: "3.1.8",
		Help: "shortest vacation interval"},
	{Name: "sievedir", Type: String, Default: "/usr/sieve", Since: "2.3.17", Changed: "2.3.17",
		Help: "root of script directories"},
	{Name: "sieveusehomedir", Type: Switch, Default: "no", Since: "2.3.17", Changed: "2.3.17",
		Help: "read ~user/.sieve instead"},
}
