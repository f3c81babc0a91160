package csync

import (
	"strconv"
	"strings"
)

// maxHead bounds what stands between the braces of a literal or a file.
const maxHead = 4096

// eat passes over the rest of a line that cannot be understood, with the literals
// and files in it, so that their octets are not taken for commands.
func (l *lexer) eat() error {
	var b braces
	for {
		c, err := l.src.ReadByte()
		if err != nil {
			return err
		}
		if c != '\n' {
			b.add(c)
		} else if done, err := l.pass(&b); done || err != nil {
			return err
		}
	}
}

// eatAfter goes on behind a line that was read without its end, where it is not
// the last of its command.
func (l *lexer) eatAfter(line []byte) error {
	var b braces
	for _, c := range line {
		b.add(c)
	}
	if done, err := l.pass(&b); done || err != nil {
		return err
	}
	return l.eat()
}

// pass passes over what follows the end of a line; done says that nothing does.
func (l *lexer) pass(b *braces) (done bool, err error) {
	n, ok := b.follows(l.peer)
	if !ok {
		return true, nil
	}
	b.state = outside
	return false, l.discard(n)
}

// braces keeps what stands between braces, while an end of line may follow them.
type braces struct {
	state int
	head  []byte
}

const (
	outside = iota
	inside
	closed
)

func (b *braces) add(c byte) {
	switch {
	case c == '{':
		b.state, b.head = inside, b.head[:0]
	case c == '}' && b.state == inside:
		b.state = closed
	case b.state == closed && c != '\r' || len(b.head) > maxHead:
		b.state = outside
	case b.state == inside:
		b.head = append(b.head, c)
	}
}

// follows says how many octets follow the head: those of a literal or of a file.
func (b *braces) follows(peer Form) (int64, bool) {
	digits := string(b.head)
	if b.state != closed {
		return 0, false
	}
	if i := strings.LastIndexByte(digits, ' '); i >= 0 {
		digits = digits[i+1:]
	} else if plus := strings.HasSuffix(digits, "+"); plus {
		digits = digits[:len(digits)-1]
	} else if peer == FromClient {
		return 0, false // it waits for an invitation
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	return int64(n), err == nil
}
