package imapserver

import (
	"slices"
	"strconv"
	"strings"

	"gocyrus/lib/csync"
	"gocyrus/lib/imapwire"
)

// A capability is one word, or a family of words, of the CAPABILITY answer.
type capability struct {
	name string
	// needs are the commands without which it is not offered.
	needs string
	// when says whether a session is offered it; nil is always.
	when func(*session) bool
	// greet: told in the greeting too.
	greet bool
	// words yields the words of a family instead of name.
	words func(*session) []string
}

// capabilities are in the order of Cyrus 3.10: by the alphabet, in two groups.
var capabilities = []capability{
	{name: "IMAP4rev1", greet: true},
	{name: "IMAP4rev2", greet: true, needs: "Search Fetch " + hasRev2},
	{name: "ACL", needs: "Getacl"},
	{name: "ANNOTATE-EXPERIMENT-1", needs: "Fetch " + hasAnnotations},
	{words: (*session).appendLimit, needs: "Append"},
	{words: (*session).authWords, greet: true},
	{name: "BINARY", needs: "Fetch Append"},
	{name: "CATENATE", needs: "Append"},
	{name: "CHILDREN", needs: "List"},
	{name: "COMPRESS=DEFLATE", when: func(s *session) bool { return !s.in.Compressed() }},
	{name: "CONDSTORE", needs: "Fetch Store Search"},
	{name: "CREATE-SPECIAL-USE", needs: "Create"},
	{name: "ENABLE", greet: true},
	{name: "ESEARCH", needs: "Search"},
	{name: "ESORT", needs: "Sort"},
	{name: "ID", greet: true},
	{name: "IDLE", when: func(s *session) bool { return s.srv.opts.IdlePoll > 0 }},
	{name: "LIST-EXTENDED", needs: "List"},
	{name: "LIST-METADATA", needs: "Getmetadata"},
	{name: "LIST-MYRIGHTS", needs: "List"},
	{name: "LIST-STATUS", needs: "List Status"},
	{name: "LITERAL+", greet: true, when: func(s *session) bool { return !s.srv.opts.Limits.Minus }},
	{name: "LITERAL-", greet: true, when: func(s *session) bool { return s.srv.opts.Limits.Minus }},
	{name: "LOGINDISABLED", greet: true, when: (*session).loginDisabled},
	{name: "MAILBOX-REFERRALS", needs: "Rlist"},
	{name: "METADATA", needs: "Getmetadata Setmetadata"},
	{name: "MOVE", needs: "Move"},
	{name: "MULTIAPPEND", needs: "Append"},
	{name: "MULTISEARCH", needs: "Esearch"},
	{words: (*session).mupdateWord, greet: true},
	{name: "NAMESPACE"},
	{name: "NOTIFY", needs: "Notify"},
	{name: "OBJECTID", needs: "Fetch Status"},
	{name: "PREVIEW", needs: "Fetch"},
	{name: "QRESYNC", needs: "Fetch Select"},
	{name: "QUOTA", needs: "Getquota"},
	{name: "QUOTA=RES-STORAGE", needs: "Getquota"},
	{name: "QUOTA=RES-MESSAGE", needs: "Getquota"},
	{name: "QUOTA=RES-ANNOTATION-STORAGE", needs: "Getquota"},
	{name: "QUOTA=RES-MAILBOX", needs: "Getquota"},
	{name: "QUOTASET", needs: "Setquota"},
	{name: "REPLACE", needs: "Replace"},
	{name: "RIGHTS=kxten", needs: "Getacl"},
	{name: "SASL-IR", greet: true, when: (*session).unsigned},
	{name: "SAVEDATE", needs: "Fetch Search"},
	{name: "SEARCH=FUZZY", needs: "Search"},
	{name: "SEARCHRES", needs: "Search"},
	{name: "SORT", needs: "Sort"},
	{name: "SORT=DISPLAY", needs: "Sort"},
	{name: "SPECIAL-USE", needs: "List"},
	{name: "STARTTLS", greet: true, when: (*session).mayStartTLS},
	{name: "STATUS=SIZE", needs: "Status"},
	{name: "THREAD=ORDEREDSUBJECT", needs: "Thread"},
	{name: "THREAD=REFERENCES", needs: "Thread"},
	{name: "UIDONLY", needs: hasUIDOnly},
	{name: "UIDPLUS", needs: "Copy Append Expunge"},
	{name: "UNAUTHENTICATE", when: func(s *session) bool { return s.admin }},
	{name: "UNSELECT", needs: "Unselect"},
	{name: "URL-PARTIAL", needs: "Append"},
	{name: "URLAUTH", needs: "Genurlauth"},
	{name: "URLAUTH=BINARY", needs: "Genurlauth"},
	{name: "WITHIN", needs: "Search"},

	{name: "ANNOTATEMORE", when: func(s *session) bool { return s.srv.opts.Annotations.Legacy }},
	{name: "DIGEST=SHA1", needs: "Fetch"},
	{name: "NO_ATOMIC_RENAME", needs: "Rename"},
	{name: "SCAN", needs: "Scan"},
	{name: "SORT=MODSEQ", needs: "Sort"},
	{name: "SORT=UID", needs: "Sort"},
	{name: "THREAD=REFS", needs: "Thread"},
	{name: "X-CREATEDMODSEQ", needs: "Fetch"},
	{name: csync.CapOurs, needs: "Syncapply", when: func(s *session) bool { return s.admin }},
	{name: "X-REPLICATION", needs: "Syncapply"},
	{name: "X-SIEVE-MAILBOX", needs: "Syncapply"},
	{name: "XLIST", needs: "Xlist"},
	{name: "XMOVE", needs: "Xmove"},
}

// Names that no command has: what needs one of them is offered once the
// feature behind it is written into features.
const (
	hasRev2        = "+IMAP4rev2"
	hasAnnotations = "+ANNOTATE"
	hasUIDOnly     = "+UIDONLY"
)

// features are the parts of commands that are there.
var features = map[string]bool{hasRev2: true, hasAnnotations: true}

// offered is the capabilities whose commands are all there and that the site
// has not suppressed.
func offered(all []capability, table map[string]command, suppress []string) []capability {
	var out []capability
	for _, c := range all {
		missing := slices.ContainsFunc(strings.Fields(c.needs), func(n string) bool {
			_, ok := table[n]
			return !ok && !features[n]
		})
		if !missing && !slices.Contains(suppress, c.name) {
			out = append(out, c)
		}
	}
	return out
}

// offers says whether the word name is among the server's capabilities.
func (srv *Server) offers(name string) bool {
	return slices.ContainsFunc(srv.caps, func(c capability) bool { return c.name == name })
}

// appendCapabilities appends the words, each behind a space. Before login the
// greeting and the answers to login-like commands have the short list.
func (s *session) appendCapabilities(b []byte, greeting bool) []byte {
	for _, c := range s.srv.caps {
		if greeting && !c.greet || c.when != nil && !c.when(s) {
			continue
		}
		if c.words == nil {
			b = append(append(b, ' '), c.name...)
			continue
		}
		for _, w := range c.words(s) {
			if !slices.Contains(s.srv.opts.Suppress, w) {
				b = append(append(b, ' '), w...)
			}
		}
	}
	return b
}

// capabilityCode is the response code CAPABILITY.
func (s *session) capabilityCode(greeting bool) string {
	b := append(make([]byte, 0, 1024), "[CAPABILITY"...)
	return string(append(s.appendCapabilities(b, greeting), ']'))
}

func (s *session) capability(p *imapwire.Parser) error {
	if err := p.EOL(); err != nil {
		return err
	}
	b := append(s.in.Scratch(), "* CAPABILITY"...)
	s.in.Commit(append(s.appendCapabilities(b, false), "\r\n"...))
	return nil
}

func (s *session) unsigned() bool { return s.who == nil }

// loginDisabled says whether LOGIN would be refused: after login too, where it
// is of no use.
func (s *session) loginDisabled() bool { return s.who != nil || !s.passwordAllowed() }

// passwordAllowed says whether a password may cross the connection in clear.
func (s *session) passwordAllowed() bool {
	if s.secured() {
		return true
	}
	return s.srv.opts.Plaintext && !s.srv.opts.TLSNeeded
}

// secured says whether the connection is protected.
func (s *session) secured() bool { return s.in.TLS() != nil || s.srv.opts.External >= 2 }

func (s *session) mayStartTLS() bool {
	return s.who == nil && s.in.TLS() == nil && s.srv.opts.StartTLS && s.srv.tls != nil
}

func (s *session) appendLimit() []string {
	return []string{"APPENDLIMIT=" + strconv.FormatInt(s.srv.opts.MaxMessage, 10)}
}

// authWords are the mechanisms: before login, and after it when TLS was there
// first, as 3.10 has it.
func (s *session) authWords() []string {
	if s.who != nil && s.in.TLS() == nil || s.needsTLS() {
		return nil
	}
	var words []string
	for _, m := range s.srv.sasl.Mechanisms(s.connState()) {
		words = append(words, "AUTH="+m)
	}
	return words
}

// needsTLS says whether nothing but STARTTLS is open (option tls_required).
func (s *session) needsTLS() bool { return s.srv.opts.TLSNeeded && !s.secured() }
