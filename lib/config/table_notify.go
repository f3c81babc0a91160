package config

// notifyOptions concern events and notices.
var notifyOptions = []Option{
	{Name: "event_content_inclusion_mode", Type: Enum, Default: "standard", Since: "2.5.0", Changed: "2.5.0",
		Allowed: words("standard message header body headerbody"),
		Help:    "what part of a message events carry"},
	{Name: "event_content_size", Type: ByteSize, Unit: 'B', Default: "0", Since: "2.5.0", Changed: "3.8.0",
		Help: "truncation of that content; 0 whole"},
	{Name: "event_exclude_flags", Type: String, Null: true, Since: "2.5.0", Changed: "2.5.0",
		Help: "flags that raise no event"},
	{Name: "event_exclude_specialuse", Type: String, Default: "\\Junk", Since: "2.5.0", Changed: "2.5.0",
		Help: "special uses that raise no event; ALL for every folder"},
	{Name: "event_extra_params", Type: Bitfield, Default: "timestamp", Since: "2.5.0", Changed: "3.6.0",
		Allowed: words("bodyStructure clientAddress diskUsed flagNames messageContent messageSize messages modseq service " +
			"timestamp uidnext vnd.cmu.midset vnd.cmu.unseenMessages vnd.cmu.envelope vnd.cmu.sessionId " +
			"vnd.cmu.mailboxACL vnd.cmu.mbtype vnd.cmu.davFilename vnd.cmu.davUid vnd.fastmail.clientId " +
			"vnd.fastmail.sessionId vnd.fastmail.convExists vnd.fastmail.convUnseen vnd.fastmail.cid " +
			"vnd.fastmail.counters vnd.fastmail.jmapEmail vnd.fastmail.jmapStates vnd.cmu.emailid vnd.cmu.threadid"),
		Help: "optional event members"},
	{Name: "event_groups", Type: Bitfield, Default: "message mailbox", Since: "2.5.0", Changed: "3.8.0",
		Allowed: words("message quota flags access mailbox subscription calendar applepushservice jmap"),
		Help:    "event families emitted"},
	{Name: "event_notifier", Type: String, Null: true, Since: "2.5.0", Changed: "2.5.0",
		Help: "notifyd method for events; unset disables"},
	{Name: "imipnotifier", Type: String, Null: true, Since: "3.0.0", Changed: "3.0.0",
		Help: "method for iMIP messages; unset disables"},
	{Name: "mailnotifier", Type: String, Null: true, Since: "2.3.17", Changed: "2.3.17",
		Help: "method for new-mail notices; unset disables"},
	{Name: "notify_external", Type: String, Null: true, Since: "2.4.0", Changed: "2.4.0",
		Help: "program run by the external method with -c -p -u -m"},
	{Name: "notifysocket", Type: String, Default: "{configdirectory}/socket/notify", Since: "2.3.17", Changed: "2.3.17",
		Help: "socket of notifyd; a dlist: prefix selects a stream protocol"},
	{Name: "sievenotifier", Type: String, Null: true, Since: "2.3.17", Changed: "2.3.17",
		Help: "method for sieve notify without an explicit one"},
}
