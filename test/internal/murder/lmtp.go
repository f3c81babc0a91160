package murder

import (
	"bufio"
	"bytes"
	"net"
	"strings"

	"gocyrus/test/internal/rig"
)

// DialLMTP connects to a seat's LMTP: the TCP port of a frontend or the unix socket
// of a seat that stores mail, neither of which asks for a login.
func (s *Seat) DialLMTP() (*rig.LMTP, error) {
	if s.Role == RoleFrontend {
		return rig.DialLMTP(s.LMTP)
	}
	conn, err := net.DialTimeout("unix", s.LMTPSocket, rig.Patience)
	if err != nil {
		return nil, err
	}
	c := &rig.LMTP{Conn: &rig.Conn{Conn: conn, R: bufio.NewReader(conn)}}
	if _, err = c.Expect("220"); err == nil {
		err = c.Send("LHLO localhost\r\n")
	}
	if err == nil {
		_, err = c.Expect("250")
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Deliver sends one message, of CRLF lines, to recipients. The answers are in their
// order: that at RCPT where it was refused there.
func (s *Seat) Deliver(msg []byte, rcpts ...string) []string {
	s.t.Helper()
	c, err := s.DialLMTP()
	if err != nil {
		s.t.Fatalf("%v: LMTP: %v", s, err)
	}
	defer c.Close()
	answers, err := deliver(c, msg, rcpts)
	if err != nil {
		s.t.Fatalf("%v: LMTP: %v", s, err)
	}
	return answers
}

// deliver is one transaction, whoever may refuse a recipient.
func deliver(c *rig.LMTP, msg []byte, rcpts []string) ([]string, error) {
	if err := c.Send("MAIL FROM:<sender@example.org>\r\n"); err != nil {
		return nil, err
	}
	if _, err := c.Expect("250"); err != nil {
		return nil, err
	}
	answers := make([]string, len(rcpts))
	var taken []int
	for i, r := range rcpts {
		if err := c.Send("RCPT TO:<" + r + ">\r\n"); err != nil {
			return nil, err
		}
		line, err := c.Reply()
		if err != nil {
			return nil, err
		}
		if answers[i] = line; strings.HasPrefix(line, "250") {
			taken = append(taken, i)
		}
	}
	if len(taken) == 0 {
		return answers, nil
	}
	if err := c.Send("DATA\r\n"); err != nil {
		return nil, err
	}
	if _, err := c.Expect("354"); err != nil {
		return nil, err
	}
	body := bytes.ReplaceAll(append([]byte("\r\n"), msg...), []byte("\r\n."), []byte("\r\n.."))
	if err := c.Send(string(body[2:]) + ".\r\n"); err != nil {
		return nil, err
	}
	for _, i := range taken {
		line, err := c.Reply()
		if err != nil {
			return nil, err
		}
		answers[i] = line
	}
	return answers, nil
}
