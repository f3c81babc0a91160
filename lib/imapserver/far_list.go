package imapserver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"gocyrus/lib/imapproxy"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// On a server that passes sessions on LIST goes by the list alone, in its order; what
// only other servers know of their mailboxes is asked of them when all names are found,
// of all servers side by side and of each all at once, and put where it belongs. A server
// that is away costs what it would have told, no name, and the others no time.

// farFacts is what servers tell of a mailbox.
type farFacts struct {
	lines []byte // STATUS and METADATA, as they came
	uses  string
}

// defers says whether lines of the answer may have to wait for other servers.
func (l *listing) defers() bool {
	return l.s.srv.proxies() && !l.s.relayed() && (l.asksUses() || l.args.Return&(imapwire.ReturnStatus|imapwire.ReturnMetadata) != 0)
}

// asksUses says whether special uses are asked for, or are to be told unasked and other
// servers are asked about their mailboxes anyway.
func (l *listing) asksUses() bool {
	unasked := l.s.srv.opts.UseAlways && l.args.Return&(imapwire.ReturnStatus|imapwire.ReturnMetadata) != 0
	return unasked || l.kind == xList || l.args.Return&imapwire.ReturnSpecialUse != 0 || l.args.Select&imapwire.SelectSpecialUse != 0
}

// maxAsked bounds the servers that are asked at the same time.
const maxAsked = 16

// finish writes the lines that waited for other servers.
func (l *listing) finish() error {
	if len(l.pending) == 0 {
		return nil
	}
	facts := make([]farFacts, len(l.pending))
	servers := map[string][]int{}
	for i := range l.pending {
		if server := l.pending[i].server; server != "" {
			servers[server] = append(servers[server], i)
		}
	}
	if err := l.askServers(servers, facts); err != nil {
		return err
	}
	for i := range l.pending {
		n, told := &l.pending[i], &facts[i]
		if n.server == "" && !l.s.srv.frontend() {
			told = nil // it is here, and can be looked at
		}
		if err := l.write(n, told); err != nil {
			return err
		}
	}
	return nil
}

// askServers asks all servers about their mailboxes, which are those of the given places
// in pending. The error is one that ends the session.
func (l *listing) askServers(servers map[string][]int, facts []farFacts) error {
	l.s.backends() // is made by one
	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		fatal error
		turns = make(chan struct{}, maxAsked)
	)
	for server, places := range servers {
		all.Go(func() {
			turns <- struct{}{}
			err := l.askServer(server, places, facts)
			<-turns
			if err == nil {
				return
			}
			log.Err("%s: LIST without what %s knows: %v", l.s.user, server, err)
			mu.Lock()
			defer mu.Unlock()
			if fatal == nil && isFatal(err) {
				fatal = err
			}
		})
	}
	all.Wait()
	return fatal
}

// serverOf is the other server that has a mailbox, "" for what is here or is none.
func (l *listing) serverOf(n mboxname.Name) string {
	if n == "" {
		return ""
	}
	e, err := l.s.srv.list.Lookup(n)
	if err != nil || !exists(e) || !e.Is(mboxlist.FlagRemote) {
		return ""
	}
	return e.Server
}

// batch is how many questions are on their way at once.
const batch = 64

// askServer asks one server about its mailboxes, which are those of the given
// places in pending.
func (l *listing) askServer(server string, places []int, facts []farFacts) error {
	c, err := l.s.connect(server)
	if err != nil {
		return err
	}
	defer l.s.release(c)
	if l.asksUses() {
		if err := l.askUses(c, places, facts); err != nil {
			return err
		}
	}
	var questions []question
	if l.args.Return&imapwire.ReturnStatus != 0 {
		questions = append(questions, question{"STATUS", "(" + statusWords(l.args.Status) + ")", imapwire.ReturnStatus})
	}
	if l.args.Return&imapwire.ReturnMetadata != 0 {
		questions = append(questions, question{"GETMETADATA", "(" + strings.Join(l.args.Metadata, " ") + ")", imapwire.ReturnMetadata})
	}
	for _, q := range questions {
		for some := range slices.Chunk(places, batch) {
			if err := l.askEach(c, q, some, facts); err != nil {
				return err
			}
		}
	}
	return nil
}

// question is a command about one mailbox.
type question struct {
	command, items string
	of             imapwire.ListReturn
}

func statusWords(items imapwire.StatusItem) string {
	var words []string
	for _, n := range imapwire.StatusNames {
		if items&n.Item != 0 {
			words = append(words, n.Name)
		}
	}
	return strings.Join(words, " ")
}

// askEach asks about several mailboxes without waiting for each answer.
func (l *listing) askEach(c *imapproxy.Conn, q question, places []int, facts []farFacts) error {
	set := l.s.backends()
	tags := make([]string, len(places))
	for i, at := range places {
		tags[i] = set.Tag()
		c.Begin(tags[i], q.command)
		c.String(l.pending[at].ext)
		c.Word(q.items)
		c.Next()
	}
	if err := c.Flush(); err != nil {
		return err
	}
	kind := strings.TrimPrefix(q.command, "GET")
	for i, at := range places {
		_, err := c.Collect(tags[i], kind, l.s.aside(c), func(line []byte) error {
			facts[at].lines = append(facts[at].lines, line...)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// askUses asks for the special uses of the user's mailboxes on one server.
func (l *listing) askUses(c *imapproxy.Conn, places []int, facts []farFacts) error {
	tag := l.s.backends().Tag()
	if err := c.Send(tag, `LIST (SPECIAL-USE) "" "*" RETURN (SPECIAL-USE)`); err != nil {
		return err
	}
	uses := map[string]string{}
	_, err := c.Collect(tag, "LIST", l.s.aside(c), func(line []byte) error {
		if n, ok := imapproxy.ParseList(line); ok {
			uses[n.Name] = strings.Join(slices.DeleteFunc(n.Attrs, isListAttr), " ")
		}
		return nil
	})
	for _, at := range places {
		facts[at].uses = uses[l.pending[at].ext]
	}
	return err
}

// isListAttr says whether a word is an attribute of LIST other than a special use.
func isListAttr(word string) bool {
	return strings.EqualFold(word, `\Marked`) || strings.EqualFold(word, `\Unmarked`) ||
		slices.ContainsFunc(attrNames, func(a string) bool { return strings.EqualFold(a, word) })
}

// farSubscribed asks the user's home server for the names that the user is
// subscribed to, wherever their mailboxes are.
func (s *session) farSubscribed(home string) (names []mboxname.Name, err error) {
	c, err := s.connect(home)
	if err != nil {
		return nil, err
	}
	defer s.release(c)
	tag := s.backends().Tag()
	kind, command := "LIST", `LIST (SUBSCRIBED) "" "*"`
	if !c.Has("LIST-EXTENDED") {
		kind, command = "LSUB", `LSUB "" "*"`
	}
	if err := c.Send(tag, command); err != nil {
		return nil, s.lost(err)
	}
	reply, err := c.Collect(tag, kind, s.aside(c), func(line []byte) error {
		l, ok := imapproxy.ParseList(line)
		if !ok {
			return fmt.Errorf("%w: %.80q", imapproxy.ErrProtocol, line)
		}
		if n, bad := s.internal(l.Name); bad == nil {
			names = append(names, n)
		}
		return nil
	})
	if err == nil && !reply.OK() {
		err = s.replied(reply, nil)
	}
	return names, s.lost(err)
}

// subscribeFar is SUBSCRIBE and UNSUBSCRIBE where sessions are passed on: of a name that
// the murder has, at the user's home server, which need not have the mailbox. far is false
// where that is this server, and for a user without an INBOX, whose subscriptions are kept
// here.
func (s *session) subscribeFar(n mboxname.Name, on bool) (far bool, err error) {
	if on {
		if _, err := s.place(n); err != nil && !errors.Is(err, errRemote) {
			if errors.Is(err, mboxlist.ErrNotFound) {
				err = imapwire.No(s.p.Command() + ": Mailbox does not exist")
			}
			return true, err
		}
	}
	home, err := s.home()
	if home == "" || err != nil {
		return err != nil, err
	}
	return true, s.relay(home)
}
