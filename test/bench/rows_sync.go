package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Sizes of the rows of replication.
type syncSizes struct {
	folders, inFolder int // of the user with many messages
	each              int // messages of each plain user
	rolling           int // messages delivered while sync_client runs
	lags              int // single deliveries
	far               int // messages that go over the long way, in folders
}

var (
	fullSync  = syncSizes{10, 2000, 400, 8000, 100, 5000}
	quickSync = syncSizes{4, 50, 10, 400, 10, 200}
)

// oneWay is the delay of the long way, each way: 50 ms there and back.
const oneWay = 25 * time.Millisecond

// Users of replication: one with many messages, one for the long way, and of
// the plain users those who get mail.
const (
	manyUser     = "many"
	farUser      = "far"
	farFolders   = 5
	rollingUsers = 20
)

// The rows of replication, each between two servers of one kind.
func syncRows(z sizes) []row {
	return []row{
		{name: "replication, all users", needs: []fixture{pairUsers}, several: true, unit: "s", run: (*lap).syncAll},
		{name: "replication, rolling", needs: []fixture{pairUsers}, several: true, unit: "ms", run: (*lap).syncRolling},
		{name: "replication, lag", needs: []fixture{pairUsers}, several: true, rounds: 1, run: (*lap).syncLag},
		{name: "replication, one user", needs: []fixture{pairMany}, several: true, unit: "s", run: (*lap).syncMany},
		{name: "replication, long way", needs: []fixture{pairFar}, several: true, unit: "s", run: (*lap).syncFar},
	}
}

var (
	pairUsers = fixture{"plain users of a master", onMaster(func(m *cyrusSite, z sizes) error {
		return parallel(4, func(i int) error {
			for ; i < users; i += 4 {
				if err := m.AddUser(userName(i)); err != nil {
					return err
				}
				kind := fmt.Sprint("sync", i)
				if err := fillInto(m, userName(i), "INBOX", z.sync.each, func(j int) []byte { return mixed(kind, j) }); err != nil {
					return err
				}
			}
			return nil
		})
	})}
	pairMany = fixture{"user with many messages of a master", onMaster(func(m *cyrusSite, z sizes) error {
		return fillFolders(m, manyUser, z.sync.folders, z.sync.inFolder)
	})}
	pairFar = fixture{"user for the long way of a master", onMaster(func(m *cyrusSite, z sizes) error {
		return fillFolders(m, farUser, farFolders, z.sync.far/farFolders)
	})}
)

// onMaster is a fixture of the master of the server's pair.
func onMaster(make func(m *cyrusSite, z sizes) error) func(server, sizes) error {
	return func(srv server, z sizes) error {
		p, err := pairOf(srv)
		if err != nil {
			return err
		}
		return make(p.master, z)
	}
}

func pairOf(srv server) (*pair, error) {
	r, ok := srv.(sociable)
	if !ok {
		return nil, fmt.Errorf("%s: no replication", srv.Name())
	}
	return r.Pair()
}

// folder names folder i of a user with many.
func folder(i int) string { return fmt.Sprintf("folder%02d", i) }

// fillFolders makes a user with n messages in each of several folders, no
// message twice.
func fillFolders(m *cyrusSite, user string, folders, n int) error {
	if err := m.AddUser(user); err != nil {
		return err
	}
	return parallel(4, func(i int) error {
		for ; i < folders; i += 4 {
			kind := folderKind(user, i)
			if err := fillBox(m, user, folder(i), n, func(j int) []byte { return mixed(kind, j) }); err != nil {
				return err
			}
		}
		return nil
	})
}

func folderKind(user string, i int) string { return fmt.Sprint(user, i) }

// intoEmpty times sync_client into an empty replica, in seconds, and checks what arrived.
func (l *lap) intoEmpty(label string, p *pair, to string, who []string, mode ...string) error {
	err := l.seconds(label, func() error { return p.sync(to, mode...) })
	if err != nil {
		return err
	}
	return p.equal(who...)
}

// seconds is time, in seconds for the whole of f.
func (l *lap) seconds(label string, f func() error) error { return l.time(label, 1000, f) }

// plainUsers are the names of the first n plain users.
func plainUsers(n int) []string {
	var all []string
	for i := range n {
		all = append(all, userName(i))
	}
	return all
}

func (l *lap) syncAll() error {
	p, err := pairOf(l.srv)
	if err != nil {
		return err
	}
	if err := p.clear(); err != nil {
		return err
	}
	label := fmt.Sprintf("replication: first sync of %d users, %s messages each", users, k(l.z.sync.each))
	return l.intoEmpty(label, p, p.replica.Addr("csync"), plainUsers(users), "-A")
}

func (l *lap) syncMany() error {
	p, err := pairOf(l.srv)
	if err != nil {
		return err
	}
	if err := p.clear(); err != nil {
		return err
	}
	label := fmt.Sprintf("replication: first sync of a user with %s messages", k(l.z.sync.folders*l.z.sync.inFolder))
	if err := l.intoEmpty(label, p, p.replica.Addr("csync"), []string{manyUser}, "-u", manyUser); err != nil {
		return err
	}
	return p.holds(manyUser, l.z.sync.folders, l.z.sync.inFolder)
}

func (l *lap) syncFar() error {
	p, err := pairOf(l.srv)
	if err != nil {
		return err
	}
	if err := p.clear(); err != nil {
		return err
	}
	way, err := p.distant(oneWay)
	if err != nil {
		return err
	}
	defer way.Close()
	label := fmt.Sprintf("replication: first sync of %s messages over a link of %d ms", k(l.z.sync.far), 2*oneWay.Milliseconds())
	if err := l.intoEmpty(label, p, way.Addr(), []string{farUser}, "-u", farUser); err != nil {
		return err
	}
	return p.holds(farUser, farFolders, l.z.sync.far/farFolders)
}

// holds checks the octets of all messages of a user of fillFolders on the replica.
func (p *pair) holds(user string, folders, n int) error {
	for i := range folders {
		c, err := login(p.replica.Addr("imap"), user, false)
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.do("EXAMINE "+folder(i), nil); err != nil {
			return err
		}
		var got, want uint32
		if _, err := c.do("FETCH 1:* BODY.PEEK[]", func(r response) { got = sum(got, r.lit) }); err != nil {
			return err
		}
		for j := range n {
			want = sum(want, mixed(folderKind(user, i), j))
		}
		if err := expect("checksum of "+folder(i)+" on the replica", got, want); err != nil {
			return err
		}
	}
	return nil
}

// inStep starts sync_client -R on a replica that has what the master has, and
// sees a first message of each of n users through. It returns a session of
// each user on the replica, and how many messages each has.
func (l *lap) inStep(p *pair, n int) (sessions []*imapConn, have []int, stop func() error, err error) {
	if err := p.sync(p.replica.Addr("csync"), "-A"); err != nil {
		return nil, nil, nil, err
	}
	stop, err = p.rolling()
	if err != nil {
		return nil, nil, nil, err
	}
	lmtp, err := dialLMTP(p.master.Addr("lmtp"))
	if err != nil {
		return nil, nil, stop, err
	}
	defer lmtp.Close()
	for i := range n {
		c, err := login(p.replica.Addr("imap"), userName(i), false)
		if err != nil {
			return sessions, have, stop, err
		}
		sessions = append(sessions, c)
		if err := c.prompt(); err != nil {
			return sessions, have, stop, err
		}
		before, err := c.status("INBOX", "MESSAGES")
		if err != nil {
			return sessions, have, stop, err
		}
		have = append(have, before+1)
	}
	err = lmtp.deliver(plainUsers(n), plain(fmt.Sprintf("first%d.%d", n, l.round), 0, 4000))
	if err != nil {
		return sessions, have, stop, err
	}
	return sessions, have, stop, allArrive(sessions, have)
}

// arrivePause is how long one waits before one looks again.
const arrivePause = 2 * time.Millisecond

// allArrive waits until all users' INBOXes have as many messages as they are to have.
func allArrive(sessions []*imapConn, have []int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for i, c := range sessions {
		if err := c.arrival(ctx, "INBOX", have[i], arrivePause); err != nil {
			return fmt.Errorf("%s: %w", userName(i), err)
		}
	}
	return nil
}

// syncRolling times deliveries over eight connections until the replica has
// all of them.
func (l *lap) syncRolling() (err error) {
	const conns = 8
	p, err := pairOf(l.srv)
	if err != nil {
		return err
	}
	sessions, have, stop, err := l.inStep(p, rollingUsers)
	defer func() { err = l.ended(err, sessions, stop) }()
	if err != nil {
		return err
	}
	n := l.z.sync.rolling
	letters := make([][]byte, n)
	for i := range letters {
		letters[i] = l.letter("rolling", i)
		have[i%rollingUsers]++
	}
	lmtp := make([]*lmtpConn, conns)
	for i := range lmtp {
		if lmtp[i], err = dialLMTP(p.master.Addr("lmtp")); err != nil {
			return err
		}
		defer lmtp[i].Close()
	}
	label := fmt.Sprintf("replication: LMTP delivery of %s messages, %d at a time, until the replica has them", k(n), conns)
	err = l.time(label, n, func() error {
		err := parallel(conns, func(c int) error {
			for i := c; i < n; i += conns {
				if err := lmtp[c].deliver([]string{userName(i % rollingUsers)}, letters[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		return allArrive(sessions, have)
	})
	if err != nil {
		return err
	}
	return p.equal(plainUsers(rollingUsers)...)
}

// ended ends the sessions and the sync_client of inStep after a row that ended with err.
func (l *lap) ended(err error, sessions []*imapConn, stop func() error) error {
	for _, c := range sessions {
		c.Close()
	}
	if stop == nil {
		return err
	}
	if e := stop(); err == nil {
		err = e
	}
	return err
}

// The time from the arrival of one message on the replica to the next delivery
// is at least lagPause, so that none meets the minimum time of a round that the
// one before began, sync_repeat_interval, and at most lagPause and lagSpread.
const (
	lagPause  = time.Second
	lagSpread = 2 * time.Second
)

// syncLag delivers single messages, 1 to 3 s apart, and takes the time from the
// acknowledgement to the moment the replica shows the message.
func (l *lap) syncLag() (err error) {
	p, err := pairOf(l.srv)
	if err != nil {
		return err
	}
	sessions, have, stop, err := l.inStep(p, 1)
	defer func() { err = l.ended(err, sessions, stop) }()
	if err != nil {
		return err
	}
	lmtp, err := dialLMTP(p.master.Addr("lmtp"))
	if err != nil {
		return err
	}
	defer lmtp.Close()
	if err := lmtp.prompt(); err != nil {
		return err
	}
	// The same pauses for all servers, and in no step with any interval.
	pauses := rand.New(rand.NewPCG(1, uint64(l.round)))
	var lags []float64
	for i := range l.z.sync.lags {
		time.Sleep(lagPause + time.Duration(pauses.Int64N(int64(lagSpread))))
		if err := lmtp.deliver([]string{userName(0)}, l.letter("lag", i)); err != nil {
			return err
		}
		begin := time.Now()
		have[0]++
		if err := allArrive(sessions, have); err != nil {
			return err
		}
		lags = append(lags, float64(time.Since(begin))/float64(time.Millisecond))
	}
	slices.Sort(lags)
	l.record("replication: lag of a single delivery, median", lags[len(lags)/2])
	l.record("replication: lag of a single delivery, 99th percentile", lags[(len(lags)*99+99)/100-1])
	return p.equal(userName(0))
}
