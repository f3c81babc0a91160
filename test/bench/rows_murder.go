package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Sizes of the rows of a murder.
type murderSizes struct {
	mailboxes int // that the master knows
	big       int // messages of the large mailbox on the backend
	slaves    int // that follow the master
	rate      int // ACTIVATEs a second
	activates int // in all
	writers   int // that send them
	sessions  int // idle ones through a frontend
	large     int // large messages that are appended
}

var (
	fullMurder  = murderSizes{100_000, 20_000, 10, 200, 2000, 4, 1000, 4}
	quickMurder = murderSizes{3000, 1000, 3, 200, 200, 4, 50, 2}
)

// The rows of a murder, all of whose servers are of one kind.
func murderRows(z sizes) []row {
	z.box, z.bigBox, z.mailboxes = min(z.box, z.murder.big/2), z.murder.big, z.murder.mailboxes
	through := func(name string, needs []fixture, run func(l *lap) error) row {
		return row{name: "murder, " + name, needs: slices.Concat([]fixture{fullList, murderUsers, murderFront}, needs), several: true,
			run: func(l *lap) error { return l.through(z, run) }}
	}
	return []row{
		{name: "murder, lag", several: true, rounds: 1, run: (*lap).murderLag},
		{name: "murder, push", needs: []fixture{lists}, several: true, rounds: 1, unit: "s", run: (*lap).murderPush},
		{name: "murder, frontend in sync", needs: []fixture{fullList}, several: true, unit: "s", run: (*lap).murderSync},
		{name: "murder, memory of mupdate", needs: []fixture{fullList}, several: true, rounds: 1, unit: "KiB", run: (*lap).murderMemory},
		{name: "murder, LIST", needs: []fixture{fullList, murderFront}, several: true, run: (*lap).murderList},
		through("login", nil, (*lap).loginSelect),
		through("NOOP", []fixture{atBackend(box)}, (*lap).noop),
		through("SELECT", []fixture{atBackend(box)}, func(l *lap) error { return l.selects("box", l.z.box, 20) }),
		through("FETCH FLAGS", []fixture{atBackend(bigBox)}, (*lap).fetchFlags),
		through("FETCH BODY[]", []fixture{atBackend(mixBox)}, (*lap).fetchBodies),
		through("FETCH BODY[] large", []fixture{atBackend(hugeBox)}, (*lap).fetchHuge),
		through("APPEND", nil, (*lap).appendSingly),
		through("APPEND large", nil, (*lap).appendLarge),
		through("LMTP, 1 connection", nil, func(l *lap) error { return l.deliver(1, l.z.ops) }),
		through("LMTP, 8 connections", nil, func(l *lap) error { return l.deliver(8, l.z.ops/4) }),
		{name: "murder, memory of sessions", needs: []fixture{fullList, murderUsers, murderFront}, several: true, rounds: 1, unit: "KiB", run: (*lap).murderSessions},
	}
}

// inMurder is a fixture of the murder of a server's kind.
func inMurder(name string, make func(m *murder, z sizes) error) fixture {
	return fixture{name, func(srv server, z sizes) error {
		m, err := murderOf(srv)
		if err != nil {
			return err
		}
		return make(m, z)
	}}
}

// atBackend is a fixture of the backend.
func atBackend(f fixture) fixture {
	return inMurder("backend's "+f.name, func(m *murder, z sizes) error {
		z.box, z.bigBox = min(z.box, z.murder.big/2), z.murder.big
		return f.make(m.back, z)
	})
}

var (
	lists = inMurder("lists of backends", func(m *murder, z sizes) error {
		return parallel(listBackends, func(i int) error {
			begin, end := share(z.murder.mailboxes, i)
			return m.lists[i].addMailboxes(begin, end)
		})
	})
	// fullList is for those who need a master that knows all: as murderPush leaves
	// it, or, when that has not run, filled the short way.
	fullList = inMurder("list of the master", func(m *murder, z sizes) error {
		c, err := dialMUPDATE(m.master.Addr("mupdate"))
		if err != nil {
			return err
		}
		defer c.Close()
		for i := range listBackends {
			begin, end := share(z.murder.mailboxes, i)
			n, _, err := c.list(m.lists[i].ip + "!")
			if err != nil {
				return err
			}
			if n == end-begin {
				continue
			}
			if err := c.activateAll(m.lists[i].ip+"!default", begin, end); err != nil {
				return err
			}
		}
		return nil
	})
	murderUsers = inMurder("users of a backend", func(m *murder, z sizes) error {
		if err := someUsers.make(m.back, z); err != nil {
			return err
		}
		return theBenchUser.make(m.back, z)
	})
	murderFront = inMurder("frontend", func(m *murder, z sizes) error {
		_, err := m.Front()
		return err
	})
)

func murderOf(srv server) (*murder, error) {
	s, ok := srv.(sociable)
	if !ok {
		return nil, fmt.Errorf("%s: no murder", srv.Name())
	}
	return s.Murder()
}

// share are the numbers of the mailboxes that backend i of the lists has.
func share(mailboxes, i int) (begin, end int) {
	return mailboxes * i / listBackends, mailboxes * (i + 1) / listBackends
}

// activateAll tells the master of many mailboxes, many at a time.
func (c *mupdateConn) activateAll(location string, begin, end int) error {
	const at = 200
	for i := begin; i < end; i += at {
		var tags []string
		for j := i; j < min(i+at, end); j++ {
			name, owner := listed(j)
			tag, err := c.start("ACTIVATE " + lit(name) + " " + lit(location) + " " + lit(owner+"\tlrswipkxtecdan\t"))
			if err != nil {
				return err
			}
			tags = append(tags, tag)
		}
		for _, tag := range tags {
			if err := c.await(tag, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// murderPush times ctl_mboxlist -m of three backends: with a master that has nothing
// of theirs, with one that has all, and -w, which only looks.
func (l *lap) murderPush() error {
	m, err := murderOf(l.srv)
	if err != nil {
		return err
	}
	all := k(l.z.murder.mailboxes)
	for _, what := range []struct {
		label string
		args  []string
	}{
		{"murder: ctl_mboxlist -m of " + all + " mailboxes, first time", []string{"-m"}},
		{"murder: ctl_mboxlist -m of " + all + " mailboxes, nothing new", []string{"-m"}},
		{"murder: ctl_mboxlist -m -w of " + all + " mailboxes", []string{"-m", "-w"}},
	} {
		err := l.seconds(what.label, func() error {
			for _, s := range m.lists {
				cmd, err := s.command("ctl_mboxlist", what.args...)
				if err != nil {
					return err
				}
				if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
					return fmt.Errorf("ctl_mboxlist %v: %w: %s", what.args, errAnswer, out)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	c, err := dialMUPDATE(m.master.Addr("mupdate"))
	if err != nil {
		return err
	}
	defer c.Close()
	for i, s := range m.lists {
		begin, end := share(l.z.murder.mailboxes, i)
		n, _, err := c.list(s.ip + "!")
		if err != nil {
			return err
		}
		if err := expect("mailboxes of a backend at the master", n, end-begin); err != nil {
			return err
		}
	}
	return nil
}

// murderSync times a frontend without a list from its start until it is in sync.
func (l *lap) murderSync() error {
	m, err := murderOf(l.srv)
	if err != nil {
		return err
	}
	var s *cyrusSite
	err = l.seconds("murder: fresh frontend in sync, "+k(l.z.murder.mailboxes)+" mailboxes", func() error {
		var err error
		if s, err = m.slave(fmt.Sprint("slave", l.round)); err == nil {
			err = s.inSync()
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := m.equal(s); err != nil {
		return err
	}
	return s.end()
}

// equal checks that a frontend has what the master has.
func (m *murder) equal(s *cyrusSite) error {
	var have [2]string
	for i, srv := range []*cyrusSite{m.master, s} {
		c, err := dialMUPDATE(srv.Addr("mupdate"))
		if err != nil {
			return err
		}
		defer c.Close()
		n, crc, err := c.list("")
		if err != nil {
			return err
		}
		have[i] = fmt.Sprintf("%d mailboxes, %08x", n, crc)
	}
	return expect("a frontend", have[1], have[0])
}

// murderMemory takes what the list costs master and frontend in memory.
func (l *lap) murderMemory() error {
	m, err := murderOf(l.srv)
	if err != nil {
		return err
	}
	s, err := m.slave("memory")
	if err != nil {
		return err
	}
	if err := s.inSync(); err != nil {
		return err
	}
	all := k(l.z.murder.mailboxes)
	l.record("murder: memory of the mupdate master, "+all+" mailboxes, a frontend follows", float64(settledPSS(m.master.Pid())))
	l.record("murder: memory of a frontend's mupdate, "+all+" mailboxes", float64(settledPSS(s.Pid())))
	return s.end()
}

// murderList times LIST of every mailbox of the murder on a frontend.
func (l *lap) murderList() error {
	m, err := murderOf(l.srv)
	if err != nil {
		return err
	}
	sub := &lap{srv: m.front, z: l.z, round: l.round, prof: l.prof}
	sub.z.mailboxes = l.z.murder.mailboxes
	err = sub.list()
	for _, ln := range sub.lines {
		l.record("murder: "+ln.label+" on a frontend", ln.value)
	}
	return err
}

// through runs what a row does on a frontend and directly on the backend, and books
// the first and the difference. The order changes from round to round.
func (l *lap) through(z sizes, run func(*lap) error) error {
	m, err := murderOf(l.srv)
	if err != nil {
		return err
	}
	var laps [2]*lap // frontend, backend
	for i := range laps {
		at := (i + l.round) % 2
		srv := []*cyrusSite{m.front, m.back}[at]
		// The letters of a round are new to the backend, whichever way they come.
		laps[at] = &lap{srv: srv, z: z, round: 2*l.round + i, prof: l.prof}
		syscall.Sync()
		if err := run(laps[at]); err != nil {
			return fmt.Errorf("%s: %w", srv.Name(), err)
		}
	}
	for i, ln := range laps[0].lines {
		l.record("murder: "+ln.label+", through a frontend", ln.value)
		l.record("murder: "+ln.label+", what the frontend adds", ln.value-laps[1].lines[i].value)
	}
	return nil
}

// loginSelect times connect, LOGIN, SELECT and LOGOUT, four at a time: a frontend
// turns to the backend with SELECT.
func (l *lap) loginSelect() error {
	const at = 4
	return l.time("login and SELECT", l.z.logins, func() error {
		return parallel(at, func(w int) error {
			for i := w; i < l.z.logins; i += at {
				c, err := l.selected(userName(i), "INBOX")
				if err != nil {
					return err
				}
				if err := c.logout(); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// appendLarge times APPEND of a large message, and checks its octets.
func (l *lap) appendLarge() error {
	c, err := l.imap(benchUser)
	if err != nil {
		return err
	}
	defer c.Close()
	mailbox := fmt.Sprint("large", l.round)
	if _, err := c.do("CREATE "+mailbox, nil); err != nil {
		return err
	}
	msg := huge(l.z.huge / 4)
	n := l.z.murder.large
	err = l.time(fmt.Sprintf("APPEND of %d KB", len(msg)>>10), n, func() error {
		for i := range n {
			if err := c.appendOne(mailbox, `\Seen`, i, msg); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if _, err := c.do("SELECT "+mailbox, nil); err != nil {
		return err
	}
	var got, want uint32
	if _, err := c.do("FETCH 1:* BODY.PEEK[]", func(r response) { got = sum(got, r.lit) }); err != nil {
		return err
	}
	for range n {
		want = sum(want, msg)
	}
	if err := expect("checksum of large messages", got, want); err != nil {
		return err
	}
	_, err = c.do("DELETE "+mailbox, nil)
	return err
}

// murderSessions takes what idle sessions cost, each with its INBOX selected
// through a frontend.
func (l *lap) murderSessions() error {
	m, err := murderOf(l.srv)
	if err != nil {
		return err
	}
	seats := []*cyrusSite{m.front, m.back}
	var before, after [2]int
	for i, s := range seats {
		before[i] = settledPSS(s.Pid())
	}
	n := l.z.murder.sessions
	sub := &lap{srv: m.front, z: l.z, round: l.round}
	var held []*imapConn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	took := func(i int) int { return after[i] - before[i] }
	for _, upTo := range []int{n / 20, n} { // a few tell whether there is room for all
		if have := len(held); have > 0 {
			if each := (took(0) + took(1)) / have; float64(each*(n-have)) > l.spare*float64(available()) {
				l.notes = append(l.notes, fmt.Sprintf("%d sessions through a frontend not tried: at %d KiB each they take more than %.0f %% of the memory that is free", n, each, 100*l.spare))
				return nil
			}
		}
		more, err := sub.hold(len(held), upTo)
		held = append(held, more...)
		if err != nil {
			return err
		}
		for i, s := range seats {
			after[i] = settledPSS(s.Pid())
		}
	}
	label := "murder: memory per session, " + k(n) + " with INBOX selected through a frontend"
	l.record(label+", frontend", float64(took(0))/float64(n))
	l.record(label+", both", float64(took(0)+took(1))/float64(n))
	return nil
}

// followPause is how long one waits before one asks a frontend again.
const followPause = 5 * time.Millisecond

// murderLag has ACTIVATEs come at an even rate, and takes for each frontend the time
// from the master's OK until the frontend's list has the mailbox. What came earlier
// must be there earlier.
func (l *lap) murderLag() error {
	m, err := murderOf(l.srv)
	if err != nil {
		return err
	}
	z := l.z.murder
	var slaves []*cyrusSite
	for i := range z.slaves {
		s, err := m.slave(fmt.Sprint("follower", i))
		if err != nil {
			return err
		}
		if err := s.inSync(); err != nil {
			return err
		}
		slaves = append(slaves, s)
	}
	syscall.Sync()
	done := make([]time.Time, z.activates)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var all sync.WaitGroup
	lags := make([][]float64, z.slaves)
	errs := make([]error, z.slaves+1)
	var mu sync.Mutex // of done
	for i, s := range slaves {
		all.Go(func() {
			if lags[i], errs[i] = l.follow(ctx, s, done, &mu); errs[i] != nil {
				cancel()
			}
		})
	}
	errs[z.slaves] = l.activateEvenly(ctx, m, done, &mu)
	if errs[z.slaves] != nil {
		cancel()
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	joined := slices.Concat(lags...)
	slices.Sort(joined)
	label := fmt.Sprintf("murder: %d ACTIVATEs a second until %d frontends have them", z.rate, z.slaves)
	l.record(label+", median", joined[len(joined)/2])
	l.record(label+", 99th percentile", joined[(len(joined)*99+99)/100-1])
	for _, s := range slaves {
		if err := s.end(); err != nil {
			return err
		}
	}
	return nil
}

// lagName is the name of mailbox i of murderLag.
func lagName(i int) string { return fmt.Sprintf("user.lag.n%05d", i) }

// activateEvenly sends the ACTIVATEs, spread over several writers, one at a time each,
// and notes when each was answered OK.
func (l *lap) activateEvenly(ctx context.Context, m *murder, done []time.Time, mu *sync.Mutex) error {
	z := l.z.murder
	begin := time.Now()
	return parallel(z.writers, func(w int) error {
		c, err := dialMUPDATE(m.master.Addr("mupdate"))
		if err != nil {
			return err
		}
		defer c.Close()
		for i := w; i < len(done) && ctx.Err() == nil; i += z.writers {
			time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(z.rate))))
			err := c.do("ACTIVATE "+lit(lagName(i))+" "+lit(m.back.ip+"!default")+" "+lit("lag\tlrswipkxtecdan\t"), nil)
			if err != nil {
				return err
			}
			mu.Lock()
			done[i] = time.Now()
			mu.Unlock()
		}
		return nil
	})
}

// follow asks a frontend for one mailbox after the other, and returns how long after
// the OK each was there; 0 when the frontend had it before the writer its OK.
func (l *lap) follow(ctx context.Context, s *cyrusSite, done []time.Time, mu *sync.Mutex) ([]float64, error) {
	c, err := dialMUPDATE(s.Addr("mupdate"))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.prompt(); err != nil {
		return nil, err
	}
	var lags []float64
	for i := 0; i < len(done); {
		found, later, err := c.inOrder(i, min(i+lagApart, len(done)-1))
		if err != nil {
			return nil, err
		}
		if !found && later {
			return nil, fmt.Errorf("%s has %s, and not yet %s: %w", s.Name(), lagName(i+lagApart), lagName(i), errAnswer)
		}
		if !found {
			select {
			case <-ctx.Done():
				return nil, fmt.Errorf("%s never has %s: %w", s.Name(), lagName(i), ctx.Err())
			case <-time.After(followPause):
			}
			continue
		}
		mu.Lock()
		said := done[i]
		mu.Unlock()
		lag := 0.0
		if !said.IsZero() {
			lag = max(0, float64(time.Since(said))/float64(time.Millisecond))
		}
		lags = append(lags, lag)
		i++
	}
	return lags, nil
}

// lagApart is how far from each other two mailboxes of murderLag are of which one was
// certainly there first, though several writers made them.
const lagApart = 20

// inOrder asks whether a mailbox is there, and first whether a later one is.
func (c *mupdateConn) inOrder(i, later int) (found, laterFound bool, err error) {
	there := [2]bool{}
	var tags [2]string
	for at, n := range []int{later, i} {
		if tags[at], err = c.start("FIND " + lit(lagName(n))); err != nil {
			return false, false, err
		}
	}
	for at := range there {
		if err := c.await(tags[at], func([]byte) { there[at] = true }); err != nil {
			return false, false, err
		}
	}
	return there[1], there[0] && later != i, nil
}
