package message

// maxCachedName bounds the names of cached fields: those of this many octets
// and more are never cached.
const maxCachedName = 32

// CachedSince says whether cyrus.cache holds the header fields of a name, in
// any case, and from which cache version on. A field that is not cached is read
// from the message file.
func CachedSince(name string) (version int, cached bool) {
	if len(name) >= maxCachedName {
		return 0, false
	}
	var buf [maxCachedName]byte
	lower := buf[:0]
	for i := 0; i < len(name); i++ {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		lower = append(lower, c)
	}
	return cachedSince(lower)
}

// cachedSince is CachedSince for a short name in lower case. The table is that
// of imap/mailbox_header_cache.gperf: fields that the envelope has or that are
// long and rarely asked for are left out.
func cachedSince(lower []byte) (version int, cached bool) {
	switch string(lower) {
	case "bcc", "cc", "date", "delivery-date", "envelope-to", "from", "in-reply-to", "mime-version",
		"received", "return-path", "subject", "to", "message-id",
		"dkim-signature", "domainkey-signature", "domainkey-x509",
		"arc-seal", "arc-message-signature", "arc-authentication-results", "authentication-results",
		"received-spf", "archived-at", "listbox-message-date", "topicbox-message-uuid",
		"topicbox-policy-reasoning":
		return 0, false
	case "priority", "references", "resent-from", "newsgroups", "followup-to":
		return 0, true
	case "x-mailer", "x-trace":
		return 1, true
	case "x-ref", "x-priority", "x-msmail-priority", "x-msoesrec":
		return 2, true
	case "x-spam-score", "x-resolved-to", "x-delivered-to", "x-mail-from", "x-truedomain-domain":
		return 3, true
	case "x-me-message-id", "x-cyrus-session-id":
		return 4, true
	case "x-universally-unique-identifier", "x-uniform-type-identifier", "x-apple-base-url",
		"x-apple-mail-remote-attachments":
		return 6, true
	case "reply-to", "sender":
		return 7, true
	}
	if len(lower) >= 2 && lower[0] == 'x' && lower[1] == '-' {
		return 0, false
	}
	return 1, true
}
