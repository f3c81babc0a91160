package murder

import (
	"crypto/sha1"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gocyrus/test/internal/rig"
)

// conn is an IMAP session that keeps what it hears.
type conn struct {
	*rig.Conn
	tag   int
	heard []string

	validity, modseq string
}

var (
	validityIn = regexp.MustCompile(`UIDVALIDITY (\d+)`)
	modseqIn   = regexp.MustCompile(`HIGHESTMODSEQ (\d+)`)
)

// note keeps the numbers of an answer that later commands use.
func (c *conn) note(line string) {
	if m := validityIn.FindStringSubmatch(line); m != nil {
		c.validity = m[1]
	}
	if m := modseqIn.FindStringSubmatch(line); m != nil {
		c.modseq = m[1]
	}
}

func (c *conn) taken() []string {
	l := c.heard
	c.heard = nil
	return l
}

var literal = regexp.MustCompile(`\{(\d+)(\+?)\}`)

// ask sends a command and reads up to its tagged answer.
func (c *conn) ask(cmd string) error {
	c.tag++
	tag := fmt.Sprintf("t%d ", c.tag)
	text := tag
	cmd = strings.NewReplacer("%V", c.validity, "%M", c.modseq).Replace(cmd)
	for {
		at := literal.FindStringSubmatchIndex(cmd)
		if at == nil {
			break
		}
		size, err := strconv.Atoi(cmd[at[2]:at[3]])
		if err != nil {
			return err
		}
		text += cmd[:at[1]] + "\r\n"
		if at[4] == at[5] { // synchronising
			if err := c.Send(text); err != nil {
				return err
			}
			if line, err := c.one(); err != nil || !strings.HasPrefix(line, "+") {
				c.heard = append(c.heard, strings.TrimPrefix(line, tag))
				return err
			}
			text = ""
		}
		text += message(size)
		cmd = cmd[at[1]:]
	}
	if err := c.Send(text + cmd + "\r\n"); err != nil {
		return err
	}
	return c.upTo(tag)
}

// upTo reads up to the answer that begins with tag.
func (c *conn) upTo(tag string) error {
	for {
		line, err := c.one()
		if err != nil {
			return err
		}
		c.note(line)
		if rest, ok := strings.CutPrefix(line, tag); ok {
			c.heard = append(c.heard, rest)
			return nil
		}
		c.heard = append(c.heard, line)
	}
}

func (c *conn) until(word string) error {
	for {
		line, err := c.one()
		if err != nil {
			return err
		}
		c.heard = append(c.heard, line)
		if strings.Contains(line, word) {
			return nil
		}
	}
}

func (c *conn) idle() error {
	c.tag++
	if err := c.Send(fmt.Sprintf("t%d IDLE\r\n", c.tag)); err != nil {
		return err
	}
	return c.until("+ ")
}

func (c *conn) done() error {
	if err := c.Send("DONE\r\n"); err != nil {
		return err
	}
	return c.upTo(fmt.Sprintf("t%d ", c.tag))
}

// one reads one answer as a line: a literal is shown as its length and a sum of what
// it holds, or what it holds where that is short.
func (c *conn) one() (string, error) {
	var text strings.Builder
	for {
		line, err := c.Line()
		text.WriteString(line)
		at := answered.FindStringSubmatch(line)
		if err != nil || at == nil {
			return text.String(), err
		}
		n, err := strconv.Atoi(at[1])
		if err != nil {
			return text.String(), err
		}
		raw := make([]byte, n)
		if _, err := io.ReadFull(c.R, raw); err != nil {
			return text.String(), err
		}
		if n < 200 {
			fmt.Fprintf(&text, "%q", raw)
		} else {
			fmt.Fprintf(&text, "%x", sha1.Sum(raw))
		}
	}
}

var answered = regexp.MustCompile(`\{(\d+)\}$`)

// message is one of so many octets.
func message(size int) string {
	text := fmt.Sprintf("From: <a@example.org>\r\nSubject: of %d octets\r\nMessage-ID: <%d@example.org>\r\n\r\n", size, size)
	if size < len(text) {
		return strings.Repeat("x", size)
	}
	const line = "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnop\r\n"
	body := strings.Repeat(line, size/len(line)+1)[:size-len(text)]
	if strings.HasSuffix(body, "\r") {
		body = body[:len(body)-1] + "."
	}
	return text + body
}
