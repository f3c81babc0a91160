package cyradm

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

func listMailbox(c *call) error {
	pattern := "*"
	if len(c.args) > 0 {
		pattern = c.args[0]
	}
	o := ListOptions{Subscribed: c.has("subscribed"), SpecialUse: c.has("specialuse"), Recursive: c.has("recursivematch")}
	var boxes []Mailbox
	var err error
	if o == (ListOptions{Subscribed: true}) {
		boxes, err = c.admin().Subscribed(pattern, c.arg(1)) // works everywhere
	} else {
		boxes, err = c.admin().List(pattern, c.arg(1), o)
	}
	if err != nil {
		return err
	}
	lines := make([]string, len(boxes))
	for i, b := range boxes {
		lines[i] = b.Name
		for _, more := range []string{b.Attrs, b.Extra} {
			if more != "" {
				lines[i] += " (" + more + ")"
			}
		}
	}
	c.printf("%s", columns(lines, c.shell.screen()))
	return nil
}

// screen is the width to print in.
func (s *Shell) screen() int {
	if n, err := strconv.Atoi(s.Env("COLUMNS")); err == nil && n > 0 {
		return n
	}
	return 79
}

// columns sorts lines and sets them in columns, down and then across, each
// padded to one more than the longest and a blank; so lines end in blanks.
func columns(lines []string, screen int) string {
	if len(lines) == 0 {
		return ""
	}
	slices.Sort(lines)
	width := 0
	for _, l := range lines {
		width = max(width, len(l)+1)
	}
	width = min(width, screen)
	across := screen / width
	rows := (len(lines) + across - 1) / across
	var b strings.Builder
	for row := range rows {
		for i := row; i < len(lines); i += rows {
			b.WriteString(lines[i])
			b.WriteString(strings.Repeat(" ", max(0, width+1-len(lines[i]))))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// isPattern says whether a name means several mailboxes.
func isPattern(name string) bool { return strings.ContainsAny(name, "*%") }

// each does something to a mailbox, or to each that a pattern matches, telling
// of it as it goes; it stops at the first that fails, which is told of on the
// output, where the name is.
func (c *call) each(name, doing string, fn func(mailbox string) error) error {
	if !isPattern(c.args[0]) {
		return of(name, fn(c.args[0]))
	}
	boxes, err := c.admin().List(c.args[0], "", ListOptions{})
	if err != nil {
		return of(name, err)
	}
	for _, b := range boxes {
		if !b.selectable() {
			continue
		}
		c.printf("%s %s...", doing, b.Name)
		c.flush()
		err := fn(b.Name)
		switch {
		case errors.Is(err, ErrLost):
			return err
		case err != nil:
			c.printf("%v\n", err)
			return nil
		}
		c.printf("OK.\n")
	}
	return nil
}

func create(c *call) error {
	part := c.arg(1)
	if p, ok := c.opts["partition"]; ok && len(c.args) == 1 {
		part = p
	}
	return of("createmailbox", c.admin().Create(c.args[0], part, c.opts["specialuse"]))
}

func deleteBox(c *call) error {
	return c.each("deletemailbox", "Deleting mailbox", c.admin().Delete)
}

func reconstruct(c *call) error {
	return of("reconstruct", c.admin().Reconstruct(c.args[0], c.has("r")))
}

// lastPartition is the flag's partition, or the third operand.
func (c *call) lastPartition() string {
	if len(c.args) > 2 {
		return c.args[2]
	}
	return c.opts["partition"]
}

func rename(c *call) error {
	return of("renamemailbox", c.admin().Rename(c.args[0], c.args[1], c.lastPartition()))
}

func xfer(c *call) error {
	return of("xfermailbox", c.admin().Xfer(c.args[0], c.args[1], c.lastPartition()))
}

// subscribe and unsubscribe say what is wrong without their names.
func subscribe(c *call) error { return c.admin().Subscribe(c.arg(0)) }

func unsubscribe(c *call) error { return c.admin().Unsubscribe(c.arg(0)) }
