package replication

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gocyrus/lib/cyrustest"
	"gocyrus/test/internal/rig"
)

// A load is users at work on a server, of whom each knows what they must have:
// by folder the subjects of its messages, none of which is there twice.
type load struct {
	t    *testing.T
	on   *site
	all  []*worker
	stop chan struct{}
	busy sync.WaitGroup
	did  atomic.Int64 // changes since start
}

// A worker is the only one who changes a user's mail.
type worker struct {
	user string
	on   *site
	r    *rand.Rand
	c    *rig.IMAP
	n    int                       // messages so far
	has  map[string]map[string]int // by folder and subject, the times
	err  error
}

var folders = []string{"INBOX", "INBOX/one", "INBOX/two"}

func newLoad(t *testing.T, on *site, users int, seed uint64) *load {
	l := &load{t: t, on: on}
	for i := range users {
		w := &worker{user: fmt.Sprintf("worker%d", i), on: on, r: rand.New(rand.NewPCG(seed, uint64(i))), has: map[string]map[string]int{}}
		on.AddUser(w.user)
		a := newActor(t, on)
		for _, f := range folders {
			w.has[f] = map[string]int{}
			if f != "INBOX" {
				a.do(w.user, "CREATE "+f)
			}
		}
		a.leave()
		l.all = append(l.all, w)
	}
	return l
}

// start lets the users work until halt.
func (l *load) start() {
	l.stop = make(chan struct{})
	l.did.Store(0)
	for _, w := range l.all {
		l.busy.Go(func() { w.err = w.run(l.stop, &l.did) })
	}
}

// until waits for n changes since start.
func (l *load) until(n int) {
	l.t.Helper()
	l.on.Eventually("users change things", func() bool { return l.did.Load() >= int64(n) })
}

// halt ends the work and checks that nobody met an error: the master is well
// all the time.
func (l *load) halt() {
	l.t.Helper()
	close(l.stop)
	l.busy.Wait()
	for _, w := range l.all {
		if w.err != nil {
			l.t.Errorf("%s: %v", w.user, w.err)
		}
	}
}

// done is how many messages there were.
func (l *load) done() (n int) {
	for _, w := range l.all {
		n += w.n
	}
	return n
}

func (w *worker) run(stop chan struct{}, did *atomic.Int64) error {
	c, err := rig.Login(w.on.IMAP, w.user)
	if err != nil {
		return err
	}
	w.c = c
	work := []func(from, to string) error{w.append, w.append, w.deliver, w.flag, w.flag, w.copy, w.move, w.expunge, w.subscribe}
	for {
		select {
		case <-stop:
			return bye(c)
		default:
		}
		perm := w.r.Perm(len(folders))
		if err := work[w.r.IntN(len(work))](folders[perm[0]], folders[perm[1]]); err != nil {
			return err
		}
		did.Add(1)
	}
}

// fresh is a new message and its subject. Most are small, as mail is; some have
// octets with the eighth bit, some an attachment, and a few are large.
func (w *worker) fresh() (subject, text string) {
	w.n++
	subject = fmt.Sprintf("%s-%d", w.user, w.n)
	text = string(cyrustest.Message(subject)) + strings.Repeat("one more line of text\r\n", w.r.IntN(200))
	switch w.r.IntN(20) {
	case 0:
		text += "caf\xe9 and na\xc3\xafve\r\n.\r\n..dots\r\nFrom here\r\n"
	case 1:
		text = strings.Replace(text, "\r\n\r\n", "\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n", 1) +
			"--b\r\nContent-Type: application/octet-stream; name=x\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
			strings.Repeat("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2\r\n", w.r.IntN(2000)) + "--b--\r\n"
	case 2:
		if w.n%20 == 0 {
			text += strings.Repeat("a line of a large message that goes on for seventy octets, as lines do\r\n", 15_000)
		}
	}
	return subject, text
}

func (w *worker) do(format string, args ...any) (*rig.Reply, error) {
	return ok(w.c, fmt.Sprintf(format, args...))
}

func (w *worker) append(to, _ string) error {
	subject, text := w.fresh()
	if _, err := w.do("APPEND %s (\\Flagged) %s", to, literal(text)); err != nil {
		return err
	}
	w.has[to][subject]++
	return nil
}

func (w *worker) deliver(_, _ string) error {
	subject, text := w.fresh()
	c, err := rig.DialLMTP(w.on.LMTP)
	if err != nil {
		return err
	}
	defer c.Close()
	var reply string
	if err := c.Deliver(text, []string{w.user}, func(_, r string) { reply = r }); err != nil {
		return err
	}
	if !strings.HasPrefix(reply, "250") {
		return fmt.Errorf("LMTP: %s", reply)
	}
	w.has["INBOX"][subject]++
	return nil
}

// pick selects a folder and takes one of its messages by its subject; uid is ""
// when it is empty.
func (w *worker) pick(from string) (uid, subject string, err error) {
	subjects := slices.Sorted(maps.Keys(w.has[from]))
	if len(subjects) == 0 {
		return "", "", nil
	}
	subject = subjects[w.r.IntN(len(subjects))]
	if _, err := w.do("SELECT %s", from); err != nil {
		return "", "", err
	}
	r, err := w.do("UID SEARCH HEADER Message-ID <%s@example.com>", subject)
	if err != nil {
		return "", "", err
	}
	for _, u := range r.Untagged {
		if rest, is := strings.CutPrefix(u.Text, "SEARCH"); is {
			if f := strings.Fields(rest); len(f) > 0 && len(f) == w.has[from][subject] {
				return f[0], subject, nil
			}
		}
	}
	return "", "", fmt.Errorf("%s has %s not %d times: %v", from, subject, w.has[from][subject], r.Untagged)
}

func (w *worker) flag(from, _ string) error {
	uid, _, err := w.pick(from)
	if uid == "" {
		return err
	}
	sign := []string{"+", "-"}[w.r.IntN(2)]
	flag := []string{`\Seen`, `\Answered`, "$Forwarded", "Own"}[w.r.IntN(4)]
	_, err = w.do("UID STORE %s %sFLAGS (%s)", uid, sign, flag)
	return err
}

func (w *worker) copy(from, to string) error {
	uid, subject, err := w.pick(from)
	if uid == "" {
		return err
	}
	if _, err := w.do("UID COPY %s %s", uid, to); err != nil {
		return err
	}
	w.has[to][subject]++
	return nil
}

func (w *worker) move(from, to string) error {
	uid, subject, err := w.pick(from)
	if uid == "" {
		return err
	}
	if _, err := w.do("UID MOVE %s %s", uid, to); err != nil {
		return err
	}
	w.has[to][subject]++
	w.drop(from, subject)
	return nil
}

func (w *worker) expunge(from, _ string) error {
	uid, subject, err := w.pick(from)
	if uid == "" {
		return err
	}
	if _, err := w.do("UID STORE %s +FLAGS.SILENT (\\Deleted)", uid); err != nil {
		return err
	}
	if _, err := w.do("UID EXPUNGE %s", uid); err != nil {
		return err
	}
	w.drop(from, subject)
	return nil
}

func (w *worker) subscribe(from, _ string) error {
	_, err := w.do("%sSUBSCRIBE %s", []string{"", "UN"}[w.r.IntN(2)], from)
	return err
}

func (w *worker) drop(from, subject string) {
	if w.has[from][subject]--; w.has[from][subject] == 0 {
		delete(w.has[from], subject)
	}
}

// check compares what the users must have with what a server has.
func (l *load) check(on *site) {
	l.t.Helper()
	for _, w := range l.all {
		for _, f := range folders {
			is, err := count(on, w.user, f)
			if err != nil {
				l.t.Errorf("%s: %s of %s: %v", on.name, f, w.user, err)
				continue
			}
			if maps.Equal(is, w.has[f]) {
				continue
			}
			for subject, n := range w.has[f] {
				if is[subject] != n {
					l.t.Errorf("%s: %s of %s: %s is there %d times, not %d", on.name, f, w.user, subject, is[subject], n)
				}
			}
			for subject, n := range is {
				if w.has[f][subject] == 0 {
					l.t.Errorf("%s: %s of %s: %s is there %d times, and was expunged", on.name, f, w.user, subject, n)
				}
			}
		}
	}
}

// count is how often each subject is in a mailbox.
func count(on *site, user, mailbox string) (map[string]int, error) {
	c, err := rig.Login(on.IMAP, user)
	if err != nil {
		return nil, err
	}
	defer bye(c)
	if _, err := ok(c, "EXAMINE "+quote(mailbox)); err != nil {
		return nil, err
	}
	r, err := ok(c, "UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
	if err != nil {
		return nil, err
	}
	is := map[string]int{}
	for _, u := range r.Untagged {
		for _, lit := range u.Literals {
			is[strings.TrimSpace(strings.TrimPrefix(string(lit), "Subject:"))]++
		}
	}
	return is, nil
}
