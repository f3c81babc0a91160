package syncclient

import "strings"

// words collects the words of a line of progress that may be long.
type lineWords struct {
	c *Client
	b strings.Builder
}

func (c *Client) words(first string) *lineWords {
	w := &lineWords{c: c}
	w.b.WriteString(first)
	return w
}

func (w *lineWords) add(word string) {
	w.b.WriteByte(' ')
	w.b.WriteString(word)
}

func (w *lineWords) print() { w.c.report.Progress(w.b.String()) }
