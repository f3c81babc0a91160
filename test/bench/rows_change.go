package main

import (
	"bytes"
	"fmt"
	"strings"
)

func changeRows(z sizes) []row {
	return []row{
		{name: "STORE single", needs: []fixture{theBenchUser, box}, run: (*lap).storeSingly},
		{name: "STORE range", needs: []fixture{theBenchUser, box}, run: (*lap).storeRange},
		{name: "EXPUNGE one", needs: []fixture{theBenchUser, bigBox}, run: (*lap).expungeOne},
		{name: "COPY and MOVE", needs: []fixture{theBenchUser, box}, run: (*lap).copyAndMove},
		{name: "CREATE and DELETE", needs: []fixture{theBenchUser}, run: (*lap).createAndDelete},
	}
}

// sign is + in even laps and - in odd ones: each changes something.
func (l *lap) sign() string {
	if l.round%2 == 0 {
		return "+"
	}
	return "-"
}

// storeSingly times STORE of one flag on one message, each awaited.
func (l *lap) storeSingly() error {
	c, err := l.selected(benchUser, "box")
	if err != nil {
		return err
	}
	defer c.Close()
	changed, flag := 0, []byte(`\Flagged`)
	err = l.time("STORE of one flag on one message", l.z.ops, func() error {
		for i := range l.z.ops {
			cmd := fmt.Sprintf(`UID STORE %d %sFLAGS (\Flagged)`, i*3+1, l.sign())
			_, err := c.do(cmd, func(r response) {
				if bytes.Contains(r.text, []byte(" FETCH (")) && bytes.Contains(r.text, flag) == (l.sign() == "+") {
					changed++
				}
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return expect("messages changed", changed, l.z.ops)
}

// storeRange times STORE of one flag on a whole mailbox, its answers included.
func (l *lap) storeRange() error {
	c, err := l.selected(benchUser, "box")
	if err != nil {
		return err
	}
	defer c.Close()
	changed, flag := 0, []byte(`$Label1`)
	err = l.time("STORE of one flag on "+k(l.z.box), 1, func() error {
		_, err := c.do(`UID STORE 1:* `+l.sign()+`FLAGS ($Label1)`, func(r response) {
			if bytes.Contains(r.text, []byte(" FETCH (")) && bytes.Contains(r.text, flag) == (l.sign() == "+") {
				changed++
			}
		})
		return err
	})
	if err != nil {
		return err
	}
	return expect("messages changed", changed, l.z.box)
}

// expungeOne times EXPUNGE of one message in the middle of the large mailbox.
// A copy of it is appended first, so that counts stay.
func (l *lap) expungeOne() error {
	const n = 5
	for range n {
		c, err := l.selected(benchUser, "bigbox")
		if err != nil {
			return err
		}
		defer c.Close()
		at := l.z.bigBox / 2
		flags := ""
		_, err = c.do(fmt.Sprintf("FETCH %d (FLAGS)", at), func(r response) {
			for _, f := range []string{`\Seen`, `\Answered`} {
				if strings.Contains(string(r.text), f) {
					flags += " " + f
				}
			}
		})
		if err != nil {
			return err
		}
		if err := c.appendOne("bigbox", strings.TrimSpace(flags), at, small(at)); err != nil {
			return err
		}
		if _, err := c.do(fmt.Sprintf(`STORE %d +FLAGS.SILENT (\Deleted)`, at), nil); err != nil {
			return err
		}
		gone, want := 0, []byte(fmt.Sprintf("* %d EXPUNGE", at))
		err = l.time("EXPUNGE of one of "+k(l.z.bigBox), n, func() error {
			_, err := c.do("EXPUNGE", func(r response) {
				if bytes.Equal(r.text, want) {
					gone++
				}
			})
			return err
		})
		if err != nil {
			return err
		}
		if err := expect("messages gone", gone, 1); err != nil {
			return err
		}
		if err := c.logout(); err != nil {
			return err
		}
	}
	left, err := l.exists(benchUser, "bigbox")
	if err != nil {
		return err
	}
	return expect("messages left", left, l.z.bigBox)
}

// copyAndMove times COPY out of the mailbox of small messages into a new one,
// and MOVE from there into another.
func (l *lap) copyAndMove() error {
	c, err := l.selected(benchUser, "box")
	if err != nil {
		return err
	}
	defer c.Close()
	one, two := fmt.Sprint("copied", l.round), fmt.Sprint("moved", l.round)
	for _, name := range []string{one, two} {
		if _, err := c.do("CREATE "+name, nil); err != nil {
			return err
		}
	}
	code := ""
	err = l.time("COPY of "+k(l.z.copies), 1, func() error {
		code, err = c.do(fmt.Sprintf("UID COPY 1:%d %s", l.z.copies, one), nil)
		return err
	})
	if err != nil {
		return err
	}
	if !strings.Contains(code, "[COPYUID ") {
		return fmt.Errorf("COPY: %q: %w", code, errAnswer)
	}
	if _, err := c.do("SELECT "+one, nil); err != nil {
		return err
	}
	gone := 0
	err = l.time("MOVE of "+k(l.z.copies), 1, func() error {
		_, err = c.do("UID MOVE 1:* "+two, func(r response) {
			if bytes.HasSuffix(r.text, []byte(" EXPUNGE")) {
				gone++
			}
		})
		return err
	})
	if err != nil {
		return err
	}
	if err := expect("messages moved away", gone, l.z.copies); err != nil {
		return err
	}
	return l.holds(two, l.z.copies)
}

// holds checks that a mailbox has the first n small messages, octet for octet.
func (l *lap) holds(mailbox string, n int) error {
	c, err := l.selected(benchUser, mailbox)
	if err != nil {
		return err
	}
	defer c.Close()
	var got, want uint32
	_, err = c.do("FETCH 1:* (BODY.PEEK[])", func(r response) { got = sum(got, r.lit) })
	if err != nil {
		return err
	}
	for i := range n {
		want = sum(want, small(i))
	}
	return expect("checksum of "+mailbox, got, want)
}

// createAndDelete times CREATE and DELETE of empty mailboxes.
func (l *lap) createAndDelete() error {
	c, err := l.imap(benchUser)
	if err != nil {
		return err
	}
	defer c.Close()
	n := l.z.ops / 2
	for _, verb := range []string{"CREATE", "DELETE"} {
		err := l.time(verb+" of a mailbox", n, func() error {
			for i := range n {
				if _, err := c.do(fmt.Sprintf("%s temp%dx%d", verb, l.round, i), nil); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		found := 0
		if _, err := c.do(fmt.Sprintf(`LIST "" temp%dx*`, l.round), func(response) { found++ }); err != nil {
			return err
		}
		want := map[string]int{"CREATE": n, "DELETE": 0}[verb]
		if err := expect("mailboxes after "+verb, found, want); err != nil {
			return err
		}
	}
	return nil
}
