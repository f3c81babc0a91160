package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"gocyrus/lib/relaytest"
)

// A pair is a master and its replica, of one kind, beside the server of that
// kind that the other rows run on: writing a sync log is not on their time.
type pair struct {
	master, replica *cyrusSite
	cleared         int // times the replica was made empty
}

// syncConf is what a pair has in imapd.conf beyond imapdConf. Everything else
// about replication is at its default, the interval between rounds too.
const syncConf = `sync_log: yes
sync_authname: cyrus
sync_password: secret
sync_try_imap: no
`

// syncService is the entry of sync_server in cyrus.conf.
const syncService = `  csync      cmd="%[1]s/sync_server -C %[2]s/imapd.conf" listen="127.0.0.1:%[3]d" prefork=0
`

// sociable is a server that rows can run on that take several of its kind.
type sociable interface {
	server
	// Pair is a pair of servers like this one, running.
	Pair() (*pair, error)
	// Murder is a murder of servers like this one, running.
	Murder() (*murder, error)
}

// Pair makes the pair when it is asked for the first time.
func (c *cyrusSite) Pair() (*pair, error) {
	if c.pair != nil {
		return c.pair, nil
	}
	p := &pair{}
	for _, end := range []struct {
		name string
		to   **cyrusSite
	}{{"-master", &p.master}, {"-replica", &p.replica}} {
		s, err := newSite(c.name+end.name, filepath.Dir(c.dir), "csync")
		if err != nil {
			return nil, err
		}
		*end.to = &cyrusSite{site: s, master: c.master, bin: c.bin, about: c.about, replicates: true}
	}
	// From here on Stop ends what was started.
	c.pair = p
	if err := p.master.Start(); err != nil {
		return nil, err
	}
	return p, p.replica.Start()
}

// fellows are the servers of the pair and the murder.
func (c *cyrusSite) fellows() []*cyrusSite {
	var all []*cyrusSite
	if c.pair != nil {
		all = append(all, c.pair.master, c.pair.replica)
	}
	if c.murder != nil {
		all = append(all, c.murder.all...)
	}
	return all
}

// Stop ends the server and its fellows.
func (c *cyrusSite) Stop() error {
	var err error
	for _, f := range c.fellows() {
		err = errors.Join(err, f.Stop())
	}
	return errors.Join(err, c.site.Stop())
}

// remove deletes the files of the server and its fellows.
func (c *cyrusSite) remove() error {
	var err error
	for _, f := range c.fellows() {
		err = errors.Join(err, f.remove())
	}
	return errors.Join(err, c.site.remove())
}

// clear makes the replica an empty server. What it had stays on the disk until
// the end of the run: for minutes ext4 is slow to make files where many were
// deleted.
func (p *pair) clear() error {
	if err := p.replica.Stop(); err != nil {
		return err
	}
	p.cleared++
	for _, dir := range []string{"conf", "spool"} {
		if err := os.Rename(p.replica.path(dir), p.replica.path(fmt.Sprintf("%s.%d", dir, p.cleared))); err != nil {
			return err
		}
	}
	if err := p.replica.Start(); err != nil {
		return err
	}
	// What was made is not to reach the disk on somebody's time.
	syscall.Sync()
	return nil
}

// command is a tool of the site's, run as the owner of its files.
func (c *cyrusSite) command(name string, args ...string) (*exec.Cmd, error) {
	uid, gid, err := cyrusUser()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(c.bin, name), append([]string{"-C", c.path("imapd.conf")}, args...)...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return cmd, nil
}

// sync runs sync_client on the master until it is done; to is the replica's
// address, or that of a relay before it.
func (p *pair) sync(to string, mode ...string) error {
	cmd, err := p.master.command("sync_client", append([]string{"-o", "-S", to}, mode...)...)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return err
	}
	// Real Cyrus tries for ever to connect, whatever -o says.
	watch := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer watch.Stop()
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("sync_client %s: %w: %s", strings.Join(mode, " "), err, out.Bytes())
	}
	return nil
}

// rolling starts sync_client -R; stop ends it and says whether it had ended
// before it was asked to.
func (p *pair) rolling() (stop func() error, err error) {
	cmd, err := p.master.command("sync_client", "-S", p.replica.Addr("csync"), "-R")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return func() error {
		select {
		case err := <-ended:
			return fmt.Errorf("sync_client -R ended by itself: %w: %s", errors.Join(err, errAnswer), out.Bytes())
		default:
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		select {
		case <-ended: // real Cyrus dies of the signal
		case <-time.After(20 * time.Second):
			cmd.Process.Kill()
			<-ended
			return errors.New("sync_client -R did not end when asked to")
		}
		return nil
	}, nil
}

// distant is a relay before the replica that holds everything back for delay
// each way.
func (p *pair) distant(delay time.Duration) (*relaytest.Relay, error) {
	r, err := relaytest.Listen(p.replica.Addr("csync"))
	if err != nil {
		return nil, err
	}
	r.Delay(delay)
	return r, nil
}

// equal checks that master and replica have the same mailboxes of the users,
// by what the protocol of replication says of them and by the numbers of
// messages that IMAP says.
func (p *pair) equal(users ...string) error {
	var states [2][]string
	for i, s := range []*cyrusSite{p.master, p.replica} {
		c, err := dialCsync(s.Addr("csync"))
		if err != nil {
			return err
		}
		defer c.Close()
		for _, user := range users {
			mailboxes, err := c.user(user)
			if err != nil {
				return err
			}
			counts, err := s.counts(user)
			if err != nil {
				return err
			}
			states[i] = slices.Concat(states[i], mailboxes, counts)
		}
	}
	if err := expect("lines of state of the replica", len(states[1]), len(states[0])); err != nil {
		return err
	}
	for i, want := range states[0] {
		if err := expect("the replica", states[1][i], want); err != nil {
			return err
		}
	}
	return nil
}

// counts are the numbers of messages of all mailboxes of a user, a line a
// mailbox.
func (c *cyrusSite) counts(user string) ([]string, error) {
	session, err := login(c.Addr("imap"), user, false)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	var names, counts []string
	_, err = session.do(`LIST "" *`, func(r response) {
		if at := bytes.LastIndexByte(r.text, ' '); at >= 0 {
			names = append(names, string(r.text[at+1:]))
		}
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	for _, name := range names {
		n, err := session.status(name, "MESSAGES")
		if err != nil {
			return nil, err
		}
		counts = append(counts, fmt.Sprintf("%s %s %d", user, name, n))
	}
	return counts, nil
}

// arrival waits until a mailbox has n messages.
func (c *imapConn) arrival(ctx context.Context, mailbox string, n int, pause time.Duration) error {
	for {
		got, err := c.status(mailbox, "MESSAGES")
		if err != nil {
			return err
		}
		if got == n {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s has %d messages, not %d: %w", mailbox, got, n, ctx.Err())
		case <-time.After(pause):
		}
	}
}
