package main

import (
	"bytes"
	"fmt"
	"sync"
)

func sessionRows(z sizes) []row {
	return []row{
		{name: "login", needs: []fixture{someUsers}, run: func(l *lap) error { return l.logins("imap", false, "login, plain") }},
		{name: "login TLS", needs: []fixture{someUsers}, run: func(l *lap) error { return l.logins("imaps", true, "login, TLS") }},
		{name: "NOOP", needs: []fixture{theBenchUser, box}, run: (*lap).noop},
	}
}

// logins times connect, LOGIN and LOGOUT, four at a time.
func (l *lap) logins(proto string, secure bool, label string) error {
	const at = 4
	return l.time(label, l.z.logins, func() error {
		return parallel(at, func(w int) error {
			for i := w; i < l.z.logins; i += at {
				c, err := login(l.srv.Addr(proto), userName(i), secure)
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

// noop times the smallest exchange there is in a selected mailbox.
func (l *lap) noop() error {
	c, err := l.selected(benchUser, "box")
	if err != nil {
		return err
	}
	defer c.Close()
	return l.time("NOOP, one round trip", l.z.ops, func() error {
		for range l.z.ops {
			if _, err := c.do("NOOP", nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func memoryRows(z sizes) []row {
	return []row{{name: "memory", needs: []fixture{someUsers}, rounds: 1, unit: "KiB", run: (*lap).memory}}
}

// memory measures what idle connections cost, in each number of l.z.idle: with
// INBOX selected, and then in IDLE.
func (l *lap) memory() error {
	before := settledPSS(l.srv.Pid())
	var held []*imapConn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	for _, n := range l.z.idle {
		if have := len(held); have > 0 {
			each := (pss(l.srv.Pid()) - before) / have
			if need, limit := each*(n-have), l.spare*float64(available()); float64(need) > limit {
				l.notes = append(l.notes, fmt.Sprintf("%d connections not tried: at %d KiB each they take more than %.0f %% of the memory that is free", n, each, 100*l.spare))
				return nil
			}
		}
		more, err := l.hold(len(held), n)
		held = append(held, more...)
		if err != nil {
			return err
		}
		l.record("memory per connection, "+k(n)+" with INBOX selected", float64(settledPSS(l.srv.Pid())-before)/float64(n))
		if err := idleAll(held, true); err != nil {
			return err
		}
		l.record("memory per connection, "+k(n)+" in IDLE", float64(settledPSS(l.srv.Pid())-before)/float64(n))
		if err := idleAll(held, false); err != nil {
			return err
		}
	}
	return nil
}

// hold opens connections number from to n-1 with INBOX selected, 16 at a time.
func (l *lap) hold(from, n int) ([]*imapConn, error) {
	var mu sync.Mutex
	var held []*imapConn
	const at = 16
	err := parallel(at, func(w int) error {
		for i := from + w; i < n; i += at {
			c, err := l.selected(userName(i), "INBOX")
			if err != nil {
				return fmt.Errorf("connection %d: %w", i, err)
			}
			c.small()
			mu.Lock()
			held = append(held, c)
			mu.Unlock()
		}
		return nil
	})
	return held, err
}

// idleAll puts every connection into IDLE, or takes it out again.
func idleAll(held []*imapConn, in bool) error {
	for _, c := range held {
		if err := c.patient(); err != nil {
			return err
		}
		if !in {
			if err := c.send("DONE\r\n"); err != nil {
				return err
			}
			if _, err := c.await(fmt.Sprint("t", c.tags), nil); err != nil {
				return err
			}
			continue
		}
		if _, err := c.start("IDLE"); err != nil {
			return err
		}
		for {
			line, err := c.readLine()
			if err != nil {
				return err
			}
			if bytes.HasPrefix(line, []byte("+")) {
				break
			}
			if !bytes.HasPrefix(line, []byte("*")) {
				return fmt.Errorf("IDLE: %q: %w", line, errAnswer)
			}
		}
	}
	return nil
}

func listRows(z sizes) []row {
	return []row{{name: "LIST", needs: []fixture{manyMailboxes}, run: (*lap).list}}
}

// list times LIST of every mailbox by who sees all.
func (l *lap) list() error {
	c, err := l.imap(l.srv.Lister())
	if err != nil {
		return err
	}
	defer c.Close()
	n, mark := 0, []byte("list")
	err = l.time("LIST \"\" * of "+k(l.z.mailboxes)+" mailboxes", 1, func() error {
		_, err := c.do(`LIST "" *`, func(r response) {
			if bytes.Contains(r.text, mark) {
				n++
			}
		})
		return err
	})
	if err != nil {
		return err
	}
	return expect("mailboxes", n, l.z.mailboxes)
}
