package main

import (
	"bytes"
	"fmt"
	"sync"
)

func deliveryRows(z sizes) []row {
	return []row{
		{name: "LMTP delivery, 1 connection", needs: []fixture{someUsers}, run: func(l *lap) error { return l.deliver(1, l.z.ops) }},
		{name: "LMTP delivery, 8 connections", needs: []fixture{someUsers}, run: func(l *lap) error { return l.deliver(8, l.z.ops/4) }},
		{name: "LMTP, one message to 50 recipients", needs: []fixture{someUsers}, run: (*lap).deliverToAll},
		{name: "APPEND", needs: []fixture{theBenchUser}, run: (*lap).appendSingly},
	}
}

// letter is message i of lap l under a kind: new in every lap, since servers
// suppress duplicates.
func (l *lap) letter(kind string, i int) []byte {
	return plain(fmt.Sprintf("%s-%d", kind, l.round), i, 4000)
}

// body is what follows the header.
func body(msg []byte) []byte {
	_, b, _ := bytes.Cut(msg, []byte("\r\n\r\n"))
	return b
}

// deliver times n messages of 4 KB on each of conns connections, each to one user of its own.
func (l *lap) deliver(conns, n int) error {
	kind := fmt.Sprint("lmtp", conns)
	before := make([]int, conns)
	sessions := make([]*lmtpConn, conns)
	letters := make([][][]byte, conns)
	for i := range conns {
		var err error
		if before[i], err = l.exists(userName(i), "INBOX"); err != nil {
			return err
		}
		if sessions[i], err = dialLMTP(l.srv.Addr("lmtp")); err != nil {
			return err
		}
		defer sessions[i].Close()
		for j := range n {
			letters[i] = append(letters[i], l.letter(kind, i*n+j))
		}
	}
	label := fmt.Sprintf("LMTP delivery of 4 KB, %d at a time", conns)
	err := l.time(label, n*conns, func() error {
		return parallel(conns, func(i int) error {
			for _, m := range letters[i] {
				if err := sessions[i].deliver([]string{userName(i)}, m); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	for i := range conns {
		if err := l.arrived(userName(i), before[i], letters[i]); err != nil {
			return err
		}
	}
	return nil
}

// exists is the number of messages of a mailbox.
func (l *lap) exists(user, mailbox string) (int, error) {
	c, err := l.imap(user)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return c.status(mailbox, "MESSAGES")
}

// arrived checks that letters are in the user's INBOX, in order, after the first before messages.
func (l *lap) arrived(user string, before int, letters [][]byte) error {
	c, err := l.selected(user, "INBOX")
	if err != nil {
		return err
	}
	defer c.Close()
	var got, want uint32
	n := 0
	_, err = c.do(fmt.Sprintf("FETCH %d:* (BODY.PEEK[TEXT])", before+1), func(r response) {
		if len(r.lit) > 0 {
			n++
			got = sum(got, r.lit)
		}
	})
	if err != nil {
		return err
	}
	for _, m := range letters {
		want = sum(want, body(m))
	}
	if err := expect("messages in "+user, n, len(letters)); err != nil {
		return err
	}
	return expect("checksum of what was delivered to "+user, got, want)
}

// deliverToAll times messages that go to every plain user at once.
func (l *lap) deliverToAll() error {
	const n = 4
	all := make([]string, users)
	before := make([]int, users)
	for i := range all {
		var err error
		all[i] = userName(i)
		if before[i], err = l.exists(all[i], "INBOX"); err != nil {
			return err
		}
	}
	c, err := dialLMTP(l.srv.Addr("lmtp"))
	if err != nil {
		return err
	}
	defer c.Close()
	var letters [][]byte
	for i := range n {
		letters = append(letters, l.letter("all", i))
	}
	err = l.time("LMTP, one message of 4 KB to 50 recipients", n, func() error {
		for _, m := range letters {
			if err := c.deliver(all, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, user := range all {
		if err := l.arrived(user, before[i], letters); err != nil {
			return err
		}
	}
	return nil
}

// appendSingly times APPEND of 4 KB, each awaited.
func (l *lap) appendSingly() error {
	c, err := l.imap(benchUser)
	if err != nil {
		return err
	}
	defer c.Close()
	before, err := l.exists(benchUser, "INBOX")
	if err != nil {
		return err
	}
	var letters [][]byte
	for i := range l.z.ops {
		letters = append(letters, l.letter("append", i))
	}
	err = l.time("APPEND of 4 KB", len(letters), func() error {
		for i, m := range letters {
			if err := c.appendOne("INBOX", `\Seen`, i, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return l.arrived(benchUser, before, letters)
}

// parallel runs f for 0 to n-1 at once and returns the first error.
func parallel(n int, f func(i int) error) error {
	var wg sync.WaitGroup
	errs := make(chan error, n)
	for i := range n {
		wg.Go(func() { errs <- f(i) })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
