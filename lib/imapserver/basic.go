package imapserver

import (
	"strings"

	"gocyrus/lib/imapwire"
)

// sessionCommands are the commands about the connection itself.
var sessionCommands = map[string]command{
	"Capability":     {in: anyState, run: (*session).capability},                     // RFC 9051 section 6.1.1
	"Noop":           {in: anyState, run: (*session).noop, away: (*session).pass},    // RFC 9051 section 6.1.2
	"Logout":         {in: anyState, run: (*session).logout, how: quiet},             // RFC 9051 section 6.1.3
	"Id":             {in: anyState, run: (*session).id},                             // RFC 2971
	"Starttls":       {in: notAuth, run: (*session).startTLS},                        // RFC 9051 section 6.2.1
	"Authenticate":   {in: anyState, run: (*session).authenticate},                   // RFC 9051 section 6.2.2
	"Login":          {in: anyState, run: (*session).login},                          // RFC 9051 section 6.2.3
	"Enable":         {in: signedIn, run: (*session).enable},                         // RFC 5161
	"Namespace":      {in: signedIn, run: (*session).namespace},                      // RFC 2342
	"Idle":           {in: signedIn, run: (*session).idle, away: (*session).idleFar}, // RFC 2177
	"Compress":       {in: signedIn, run: (*session).compress},                       // RFC 4978
	"Unauthenticate": {in: signedIn, run: (*session).unauthenticate, how: quiet},     // RFC 8437
}

func (s *session) noop(p *imapwire.Parser) error { return p.EOL() }

func (s *session) logout(p *imapwire.Parser) error {
	if err := p.EOL(); err != nil {
		return err
	}
	s.untagged("BYE LOGOUT received")
	s.tagged("OK Completed")
	return errBye
}

// enableWords are the extensions that ENABLE knows, in the order of the answer.
var enableWords = []struct {
	name string
	bits enabled
}{
	{"CONDSTORE", condStore},
	{"QRESYNC", qResync | condStore}, // RFC 7162 section 3.2.3
	{"IMAP4rev2", rev2},
}

// enable switches extensions on. The answer names those that were off; without
// any it comes all the same (RFC 9051 section 6.3.1).
func (s *session) enable(p *imapwire.Parser) error {
	var asked enabled
	if err := p.SP(); err != nil {
		return err
	}
	for {
		w, _, err := p.Word()
		if err != nil {
			return err
		}
		if w == "" {
			return p.Missing()
		}
		for _, e := range enableWords {
			if strings.EqualFold(w, e.name) && s.srv.offers(e.name) {
				asked |= e.bits
			}
		}
		if more, err := p.Accept(' '); err != nil {
			return err
		} else if !more {
			break
		}
	}
	if err := p.EOL(); err != nil {
		return err
	}
	s.answerEnable(asked &^ s.enabled)
	s.enabled |= asked
	return nil
}

func (s *session) answerEnable(fresh enabled) {
	line := "ENABLED"
	for _, e := range enableWords {
		// The lowest new bit of a word is its own: QRESYNC after CONDSTORE is
		// told as QRESYNC alone.
		own := e.bits &^ condStore
		if e.bits == condStore {
			own = condStore
		}
		if fresh&own != 0 {
			line += " " + e.name
		}
	}
	s.untagged(line)
}
