package lmtpserver

import (
	"fmt"
	"os"
	"strings"
	"time"

	"gocyrus/lib/times"
	"gocyrus/lib/tlsconf"
)

// header makes the fields that delivery adds to a message.
type header struct {
	s    *session
	now  time.Time
	date string // now, as RFC 5322 has it
}

func (s *session) newHeader() *header {
	now := time.Now()
	return &header{s, now, times.Format(now)}
}

// prepended are the fields in front of the message.
func (h *header) prepended() []byte {
	var b []byte
	b = append(b, "Return-Path: <"...)
	b = append(b, h.returnPath()...)
	b = append(b, ">\r\nReceived: "...)
	b = append(b, h.received()...)
	b = append(b, "\r\nX-Cyrus-Session-Id: "...)
	b = append(b, h.s.id...)
	if h.s.srv.far != nil && h.s.srv.far.opts.Frontend {
		return append(b, "\r\n"...) // scripts are the other servers' business
	}
	return append(b, "\r\nX-Sieve: CMU Sieve 3.0\r\n"...)
}

// returnPath is the path of MAIL; one without a domain gets the server's.
func (h *header) returnPath() string {
	from := h.s.tx.from
	if from != "" && !strings.Contains(from, "@") {
		from += "@" + h.s.srv.opts.ServerName
	}
	return from
}

// received is the value of the trace field, a fold before each part.
func (h *header) received() string {
	s := h.s
	parts := []string{fmt.Sprintf("from %s (%s)", clean(s.lhlo), s.svc.Peer())}
	cs := s.in.TLS()
	if s.tx.auth != "" {
		bits := 0
		if cs != nil {
			bits = tlsconf.Bits(cs.CipherSuite)
		}
		parts = append(parts, fmt.Sprintf(" (authenticated user=%s bits=%d)", clean(s.tx.auth), bits))
	}
	by := " by " + s.srv.opts.ServerName
	if s.srv.opts.ServerInfo == "on" {
		by += " (Cyrus " + s.srv.opts.Version + ")"
	}
	by += " with LMTP"
	if cs != nil {
		by += "S"
	}
	if s.trust != nobody {
		by += "A"
	}
	if cs != nil {
		parts = append(parts, by)
		bits := tlsconf.Bits(cs.CipherSuite)
		verified := "NO"
		if tlsconf.PeerName(cs) != "" {
			verified = "YES"
		}
		by = fmt.Sprintf(" (version=%s cipher=%s bits=%d/%d verify=%s)",
			tlsconf.VersionName(cs.Version), tlsconf.CipherName(cs.CipherSuite), bits, bits, verified)
	}
	parts = append(parts, by+";", " "+h.date)
	return strings.Join(parts, "\r\n\t")
}

// clean is what a client said, fit for a header field.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return 'X'
		}
		return r
	}, text)
}

// missing are the fields for a message that lacks them. A made-up Message-ID is
// Cyrus's, and is what duplicate suppression goes by.
func (h *header) missing(messageID, date bool) (b []byte) {
	if !messageID {
		b = fmt.Appendf(b, "Message-ID: <cmu-lmtpd-%d-%d-%d@%s>\r\n",
			os.Getpid(), h.now.Unix(), h.s.srv.made.Add(1)-1, h.s.srv.opts.ServerName)
	}
	if !date {
		b = append(b, "Date: "+h.date+"\r\n"...)
	}
	return b
}
