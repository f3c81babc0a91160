package backend

import (
	"fmt"
	"slices"
	"strings"
)

// Caps is what a server says it can do.
type Caps struct {
	Words []string // in capitals: "IDLE", "STARTTLS"; parameters as "SIZE 1000"
	Mechs []string // SASL mechanisms, in the server's order
}

// Has says whether a word is there, or stands before a parameter.
func (c Caps) Has(word string) bool {
	return slices.ContainsFunc(c.Words, func(w string) bool {
		return w == word || strings.HasPrefix(w, word) && (w[len(word)] == ' ' || w[len(word)] == '=')
	})
}

// Value returns the parameter of a word: "1000" for SIZE.
func (c Caps) Value(word string) string {
	for _, w := range c.Words {
		if rest, ok := strings.CutPrefix(w, word); ok && rest != "" && (rest[0] == ' ' || rest[0] == '=') {
			return rest[1:]
		}
	}
	return ""
}

// Greet reads the greeting and learns the capabilities, from it or by asking.
func (c *Conn) Greet() error {
	if c.Proto.bannerCaps && c.Proto != IMAP {
		return c.readCaps()
	}
	for range maxCapaLines {
		line, err := c.Hear()
		if err != nil {
			return err
		}
		c.Greeting = line
		if c.Proto == IMAP {
			if !hasPrefix(line, "* OK") && !hasPrefix(line, "* PREAUTH") {
				return fmt.Errorf("%w: %s", ErrRefused, line)
			}
			c.Caps = imapCaps(line)
			if len(c.Caps.Words) > 0 {
				return nil
			}
			return c.AskCaps()
		}
		if hasPrefix(line, c.Proto.greeting) {
			return c.AskCaps()
		}
		if !hasPrefix(line, strings.TrimRight(c.Proto.greeting, " ")) {
			return fmt.Errorf("%w: %s", ErrRefused, line)
		}
	}
	return ErrProtocol
}

// AskCaps asks for the capabilities.
func (c *Conn) AskCaps() error {
	cmd := c.Proto.capa
	if verb, _, ok := strings.Cut(cmd, " "); ok && c.hello != "" && c.Proto != IMAP {
		cmd = verb + " " + c.hello
	}
	if err := c.Say(cmd, ""); err != nil {
		return err
	}
	return c.readCaps()
}

// readCaps reads a list of capabilities up to its last line.
func (c *Conn) readCaps() error {
	c.Caps = Caps{}
	for n := range maxCapaLines {
		line, err := c.Hear()
		if err != nil {
			return err
		}
		c.addCaps(line)
		switch {
		case hasPrefix(line, c.Proto.capaEnd):
			if c.Proto.capaEnd == c.Proto.greeting {
				c.Greeting = line
			}
			return nil
		case n == 0 && c.refuses(line):
			return fmt.Errorf("%w: %s", ErrRefused, line)
		}
	}
	return ErrProtocol
}

// refuses says whether the first line of an answer means that there are no
// capabilities.
func (c *Conn) refuses(line string) bool {
	switch c.Proto {
	case POP3:
		return hasPrefix(line, "-ERR")
	case LMTP, SMTP:
		return !hasPrefix(line, "250")
	}
	// A server of another protocol that takes C01 for a command says BAD.
	return hasPrefix(line, "* BYE") || hasPrefix(line, "BYE") || c.Proto == IMAP && hasPrefix(line, "BAD ")
}

func (c *Conn) addCaps(line string) {
	switch c.Proto {
	case IMAP:
		if got := imapCaps(line); len(got.Words) > 0 {
			c.Caps = got
		}
	case LMTP, SMTP:
		if len(line) > 4 {
			c.addCap(line[4:])
		}
	case POP3:
		if !hasPrefix(line, "+OK") && line != "." {
			c.addCap(line)
		}
	case MUPDATE, Csync:
		if rest, ok := strings.CutPrefix(line, "* "); ok && !hasPrefix(rest, "OK") {
			c.addCap(strings.ReplaceAll(rest, `"`, ""))
		}
	default:
		c.addCap(strings.ReplaceAll(line, `"`, ""))
	}
}

// addCap adds one line's capability, and the mechanisms if it names them.
func (c *Conn) addCap(text string) {
	text = strings.ToUpper(strings.TrimSpace(text))
	for _, word := range []string{"AUTH ", "SASL "} {
		if rest, ok := strings.CutPrefix(text, word); ok {
			c.Caps.Mechs = append(c.Caps.Mechs, strings.Fields(rest)...)
		}
	}
	c.Caps.Words = append(c.Caps.Words, text)
}

// imapCaps finds the capabilities in an untagged line or a response code.
func imapCaps(line string) Caps {
	var c Caps
	i := strings.Index(strings.ToUpper(line), "CAPABILITY ")
	if i < 0 || !hasPrefix(line, "* ") && !strings.Contains(line, "[") {
		return c
	}
	list, _, _ := strings.Cut(line[i:], "]")
	for _, w := range strings.Fields(strings.ToUpper(list))[1:] {
		if mech, ok := strings.CutPrefix(w, "AUTH="); ok {
			c.Mechs = append(c.Mechs, mech)
		}
		c.Words = append(c.Words, w)
	}
	return c
}
