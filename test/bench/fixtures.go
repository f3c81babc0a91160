package main

import "fmt"

// A fixture is mail that rows work on, made once a server.
type fixture struct {
	name string
	make func(srv server, z sizes) error
}

// benchUser owns the large mailboxes, statusUser the many, popUser the one for POP3.
const (
	benchUser  = "bench"
	statusUser = "status"
	popUser    = "pop"
)

var (
	someUsers = fixture{"users", func(srv server, z sizes) error {
		for i := range users {
			if err := srv.AddUser(userName(i)); err != nil {
				return err
			}
		}
		return nil
	}}
	theBenchUser = fixture{"bench user", func(srv server, z sizes) error { return srv.AddUser(benchUser) }}
	box          = fixture{"mailbox of small messages", func(srv server, z sizes) error { return fillBox(srv, benchUser, "box", z.box, small) }}
	bigBox       = fixture{"large mailbox of small messages", func(srv server, z sizes) error { return fillBox(srv, benchUser, "bigbox", z.bigBox, small) }}
	mixBox       = fixture{"mailbox of mixed messages", func(srv server, z sizes) error { return fillBox(srv, benchUser, "mix", z.mix, mixMessage) }}
	hugeBox      = fixture{"mailbox with a large message", func(srv server, z sizes) error {
		return fillBox(srv, benchUser, "hugebox", 1, func(int) []byte { return huge(z.huge) })
	}}
	statusBoxes = fixture{"mailboxes for STATUS", func(srv server, z sizes) error {
		if err := srv.AddUser(statusUser); err != nil {
			return err
		}
		for i := range z.status {
			if err := fillBox(srv, statusUser, statusBox(i), statusMessages, small); err != nil {
				return err
			}
		}
		return nil
	}}
	popBox = fixture{"INBOX of mixed messages", func(srv server, z sizes) error {
		if err := srv.AddUser(popUser); err != nil {
			return err
		}
		return fillInto(srv, popUser, "INBOX", z.mix, mixMessage)
	}}
	manyMailboxes = fixture{"mailboxes for LIST", func(srv server, z sizes) error { return srv.AddMailboxes(z.mailboxes) }}
)

// statusMessages is how many messages each mailbox for STATUS holds.
const statusMessages = 10

func statusBox(i int) string { return fmt.Sprintf("st%03d", i) }

// small is message i of the mailboxes of small messages.
func small(i int) []byte { return plain("small", i, 250) }

// mixMessage is message i of the mixed mailbox.
func mixMessage(i int) []byte { return mixed("mix", i) }

// fillBox creates a mailbox and fills it.
func fillBox(srv server, user, mailbox string, n int, msg func(int) []byte) error {
	c, err := login(srv.Addr("imap"), user, false)
	if err != nil {
		return err
	}
	if _, err := c.do("CREATE "+mailbox, nil); err != nil {
		return err
	}
	if err := c.logout(); err != nil {
		return err
	}
	return fillInto(srv, user, mailbox, n, msg)
}

// fillInto fills a mailbox that exists.
func fillInto(srv server, user, mailbox string, n int, msg func(int) []byte) error {
	c, err := login(srv.Addr("imap"), user, false)
	if err != nil {
		return err
	}
	if err := c.fill(mailbox, n, msg); err != nil {
		return err
	}
	return c.logout()
}
