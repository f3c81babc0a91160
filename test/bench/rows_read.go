package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

func readRows(z sizes) []row {
	return []row{
		{name: "SELECT", needs: []fixture{theBenchUser, box}, run: func(l *lap) error { return l.selects("box", l.z.box, 20) }},
		{name: "SELECT large", needs: []fixture{theBenchUser, bigBox}, run: func(l *lap) error { return l.selects("bigbox", l.z.bigBox, 10) }},
		{name: "FETCH FLAGS", needs: []fixture{theBenchUser, bigBox}, run: (*lap).fetchFlags},
		{name: "FETCH INTERNALDATE", needs: []fixture{theBenchUser, box}, run: (*lap).fetchDates},
		{name: "FETCH ENVELOPE new", needs: []fixture{theBenchUser}, run: (*lap).fetchEnvelopesNew},
		{name: "FETCH ENVELOPE again", needs: []fixture{theBenchUser, mixBox}, run: func(l *lap) error { return l.fetchEnvelopes("mix", "again") }},
		{name: "FETCH HEADER.FIELDS", needs: []fixture{theBenchUser, mixBox}, run: func(l *lap) error {
			return l.fetchHeader("usual ones", "FROM", "TO", "SUBJECT", "DATE", "MESSAGE-ID", "REFERENCES")
		}},
		{name: "FETCH HEADER.FIELDS rare", needs: []fixture{theBenchUser, mixBox}, run: func(l *lap) error { return l.fetchHeader("a rare one", "X-BENCH-NUMBER") }},
		{name: "FETCH BODY[]", needs: []fixture{theBenchUser, mixBox}, run: (*lap).fetchBodies},
		{name: "FETCH BODY[] large", needs: []fixture{theBenchUser, hugeBox}, run: (*lap).fetchHuge},
		{name: "STATUS", needs: []fixture{statusBoxes}, run: (*lap).status},
		{name: "POP3", needs: []fixture{popBox}, run: (*lap).pop3},
	}
}

// selects times SELECT and the UNSELECT that ends it.
func (l *lap) selects(mailbox string, size, n int) error {
	c, err := l.imap(benchUser)
	if err != nil {
		return err
	}
	defer c.Close()
	want := []byte(fmt.Sprintf("* %d EXISTS", size))
	found := 0
	err = l.time("SELECT of "+k(size)+" messages", n, func() error {
		for range n {
			_, err := c.do("SELECT "+mailbox, func(r response) {
				if bytes.Equal(r.text, want) {
					found++
				}
			})
			if err != nil {
				return err
			}
			if _, err := c.do("UNSELECT", nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return expect("answers with "+string(want), found, n)
}

func (l *lap) fetchFlags() error {
	c, err := l.selected(benchUser, "bigbox")
	if err != nil {
		return err
	}
	defer c.Close()
	n, seen, mark := 0, 0, []byte(`\Seen`)
	err = l.time("UID FETCH 1:* (FLAGS) of "+k(l.z.bigBox), 1, func() error {
		_, err := c.do("UID FETCH 1:* (FLAGS)", func(r response) {
			n++
			if bytes.Contains(r.text, mark) {
				seen++
			}
		})
		return err
	})
	if err != nil {
		return err
	}
	if err := expect("responses", n, l.z.bigBox); err != nil {
		return err
	}
	return expect(`\Seen`, seen, every(l.z.bigBox, 3))
}

// texts gathers responses for checks after the clock has stopped.
type texts struct {
	all  []byte
	ends []int
}

func (t *texts) add(r response) {
	t.all = append(append(t.all, r.text...), r.lit...)
	t.ends = append(t.ends, len(t.all))
}

// each calls f for every response, in order.
func (t *texts) each(f func(i int, text string) error) error {
	begin := 0
	for i, end := range t.ends {
		if err := f(i, string(t.all[begin:end])); err != nil {
			return err
		}
		begin = end
	}
	return nil
}

func (l *lap) fetchDates() error {
	c, err := l.selected(benchUser, "box")
	if err != nil {
		return err
	}
	defer c.Close()
	var got texts
	err = l.time("UID FETCH 1:* (INTERNALDATE) of "+k(l.z.box), 1, func() error {
		_, err := c.do("UID FETCH 1:* (INTERNALDATE)", got.add)
		return err
	})
	if err != nil {
		return err
	}
	if err := expect("responses", len(got.ends), l.z.box); err != nil {
		return err
	}
	return got.each(func(i int, text string) error {
		date, ok := between(text, `INTERNALDATE "`, `"`)
		if !ok {
			return fmt.Errorf("%q: %w", text, errAnswer)
		}
		when, err := time.Parse("_2-Jan-2006 15:04:05 -0700", date)
		if err != nil {
			return err
		}
		return expect("date of message", when.Unix(), internalDate(i).Unix())
	})
}

// fetchEnvelopesNew is fetchEnvelopes on mail that nobody has read yet.
func (l *lap) fetchEnvelopesNew() error {
	mailbox := fmt.Sprint("new", l.round)
	if err := fillBox(l.srv, benchUser, mailbox, l.z.mix, mixMessage); err != nil {
		return err
	}
	return l.fetchEnvelopes(mailbox, "first time")
}

func (l *lap) fetchEnvelopes(mailbox, how string) error {
	c, err := l.selected(benchUser, mailbox)
	if err != nil {
		return err
	}
	defer c.Close()
	var got texts
	err = l.time("FETCH (ENVELOPE BODYSTRUCTURE) of "+k(l.z.mix)+", "+how, 1, func() error {
		_, err := c.do("FETCH 1:* (ENVELOPE BODYSTRUCTURE)", got.add)
		return err
	})
	if err != nil {
		return err
	}
	if err := expect("responses", len(got.ends), l.z.mix); err != nil {
		return err
	}
	l.asCyrus("ENVELOPE and BODYSTRUCTURE", sum(0, got.all))
	return got.each(func(i int, text string) error {
		if !strings.Contains(text, messageID("mix", i)) || !strings.Contains(text, "BODYSTRUCTURE (") {
			return fmt.Errorf("message %d: %q: %w", i+1, text, errAnswer)
		}
		return nil
	})
}

// fetchHeader times HEADER.FIELDS of the mixed mailbox.
func (l *lap) fetchHeader(what string, fields ...string) error {
	c, err := l.selected(benchUser, "mix")
	if err != nil {
		return err
	}
	defer c.Close()
	var got, want uint32
	n := 0
	err = l.time("FETCH BODY[HEADER.FIELDS] of "+k(l.z.mix)+", "+what, 1, func() error {
		_, err := c.do("FETCH 1:* (BODY.PEEK[HEADER.FIELDS ("+strings.Join(fields, " ")+")])", func(r response) {
			n++
			got = sum(got, r.lit)
		})
		return err
	})
	if err != nil {
		return err
	}
	for i := range l.z.mix {
		want = sum(want, headerFields(mixMessage(i), fields))
	}
	if err := expect("responses", n, l.z.mix); err != nil {
		return err
	}
	return expect("checksum of header fields", got, want)
}

// headerFields is the answer to HEADER.FIELDS: the lines of those fields in
// the order of the message, and an empty line. The fields asked for are not folded.
func headerFields(msg []byte, fields []string) []byte {
	var out []byte
	for line := range bytes.Lines(msg) {
		if len(line) <= 2 {
			break
		}
		name, _, _ := bytes.Cut(line, []byte(":"))
		for _, f := range fields {
			if strings.EqualFold(string(name), f) {
				out = append(out, line...)
			}
		}
	}
	return append(out, "\r\n"...)
}

func (l *lap) fetchBodies() error {
	return l.stream("mix", l.z.mix, mixMessage, "FETCH BODY[] of "+k(l.z.mix)+" mixed messages")
}

func (l *lap) fetchHuge() error {
	return l.stream("hugebox", 1, func(int) []byte { return huge(l.z.huge) }, fmt.Sprintf("FETCH BODY[] of one of %d MB", l.z.huge>>20))
}

// stream times whole messages.
func (l *lap) stream(mailbox string, n int, msg func(int) []byte, label string) error {
	c, err := l.selected(benchUser, mailbox)
	if err != nil {
		return err
	}
	defer c.Close()
	var got, want uint32
	octets, wanted := 0, 0
	err = l.time(label, 1, func() error {
		_, err := c.do("FETCH 1:* (BODY.PEEK[])", func(r response) {
			octets += len(r.lit)
			got = sum(got, r.lit)
		})
		return err
	})
	if err != nil {
		return err
	}
	for i := range n {
		m := msg(i)
		wanted += len(m)
		want = sum(want, m)
	}
	if err := expect("octets", octets, wanted); err != nil {
		return err
	}
	return expect("checksum of bodies", got, want)
}

func (l *lap) status() error {
	c, err := l.imap(statusUser)
	if err != nil {
		return err
	}
	defer c.Close()
	unseen := statusMessages - every(statusMessages, 3)
	messages, right := fmt.Sprintf("MESSAGES %d", statusMessages), 0
	count := func(r response) {
		if t := string(r.text); strings.Contains(t, messages) && strings.Contains(t, fmt.Sprint("UNSEEN ", unseen)) {
			right++
		}
	}
	err = l.time("STATUS of "+k(l.z.status)+" mailboxes", 1, func() error {
		for i := range l.z.status {
			if _, err := c.do("STATUS "+statusBox(i)+" (MESSAGES UNSEEN UIDNEXT UIDVALIDITY)", count); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := expect("right answers to STATUS", right, l.z.status); err != nil {
		return err
	}
	right = 0
	err = l.time("LIST-STATUS of "+k(l.z.status)+" mailboxes", 1, func() error {
		_, err := c.do(`LIST "" st% RETURN (STATUS (MESSAGES UNSEEN))`, count)
		return err
	})
	if err != nil {
		return err
	}
	return expect("right answers to LIST-STATUS", right, l.z.status)
}

func (l *lap) pop3() error {
	var got, want uint32
	octets, wanted := 0, 0
	err := l.time("POP3, all of "+k(l.z.mix)+" messages", 1, func() error {
		c, err := dialPOP3(l.srv.Addr("pop3"), popUser)
		if err != nil {
			return err
		}
		defer c.Close()
		for i := range l.z.mix {
			n, crc, err := c.retr(i + 1)
			if err != nil {
				return err
			}
			octets += n
			got ^= crc
		}
		_, err = c.do("QUIT")
		return err
	})
	if err != nil {
		return err
	}
	for i := range l.z.mix {
		m := mixMessage(i)
		wanted += len(m)
		want ^= sum(0, m)
	}
	if err := expect("octets", octets, wanted); err != nil {
		return err
	}
	return expect("checksum of messages", got, want)
}
