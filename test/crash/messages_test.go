package crash_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// append appends one message with flags.
func (c *client) append() error { return c.appendN(1) }

// appendMany appends several in one command (RFC 3502): all or none.
func (c *client) appendMany() error { return c.appendN(2 + c.r.IntN(6)) }

func (c *client) appendN(n int) error {
	b := c.use(nil)
	if b == nil {
		return nil
	}
	defer c.release(b)
	var cmd strings.Builder
	fmt.Fprintf(&cmd, "APPEND %s", b.name)
	all := make([]*held, n)
	for i := range all {
		m := c.s.compose(c.r)
		flags := c.someFlags()
		all[i] = &held{id: m.id, is: maybe, busy: true, flags: map[string]state{}}
		for _, f := range flags {
			all[i].flags[f] = yes
		}
		fmt.Fprintf(&cmd, " (%s) {%d+}\r\n%s", strings.Join(flags, " "), len(m.text), m.text)
	}
	c.put(b, all)
	r, err := c.do(cmd.String())
	if err != nil {
		return err
	}
	code, ok := r.Code("APPENDUID")
	if r.OK() && (!ok || len(code) != 2) {
		c.f.add("%s %s: APPEND without APPENDUID: %s", c.u.name, b.name, r.Text)
	}
	var validity string
	var uids []uint32
	if len(code) == 2 {
		validity, uids = code[0], parseSet(code[1])
	}
	c.arrived(b, all, validity, uids, r.OK())
	return nil
}

// put enters messages that are on their way into a mailbox.
func (c *client) put(b *box, all []*held) {
	c.u.mu.Lock()
	defer c.u.mu.Unlock()
	for _, h := range all {
		b.msgs[h.id] = h
	}
}

// arrived settles messages that put entered.
func (c *client) arrived(b *box, all []*held, validity string, uids []uint32, ok bool) {
	c.u.mu.Lock()
	defer c.u.mu.Unlock()
	if !ok {
		for _, h := range all {
			delete(b.msgs, h.id)
		}
		return
	}
	if len(uids) != len(all) {
		c.f.add("%s %s: %d UIDs for %d messages", c.u.name, b.name, len(uids), len(all))
		uids = make([]uint32, len(all))
	}
	if v, _ := strconv.ParseUint(validity, 10, 32); b.uidvalidity == 0 {
		b.uidvalidity = uint32(v)
	} else if uint64(b.uidvalidity) != v {
		c.f.add("%s %s: UIDVALIDITY was %d, a new message has %d", c.u.name, b.name, b.uidvalidity, v)
	}
	for i, h := range all {
		h.is, h.uid, h.busy = yes, uids[i], false
		if uids[i] != 0 {
			if err := c.u.see(b, uids[i], h.id); err != nil {
				c.f.add("%v", err)
			}
		}
	}
}

var flagNames = []string{`\Seen`, `\Answered`, `\Flagged`, `\Draft`, "kw1", "kw2", "$Forwarded"}

func (c *client) someFlags() []string {
	all := slices.Clone(flagNames)
	c.r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:c.r.IntN(4)]
}

// hold selects a mailbox and picks messages of it.
func (c *client) hold(n int, fit func(*held) bool) (*box, []*held, error) {
	b := c.use(func(b *box) bool { return b.live() > 0 })
	if b == nil {
		return nil, nil, nil
	}
	if err := c.selectBox(b); err != nil {
		c.release(b)
		return nil, nil, err
	}
	c.u.mu.Lock()
	defer c.u.mu.Unlock()
	all := b.pick(c.r, n, fit)
	slices.SortFunc(all, func(a, b *held) int { return cmp.Compare(a.uid, b.uid) })
	return b, all, nil
}

// let gives messages free again, after fn has settled them.
func (c *client) let(all []*held, fn func(*held)) {
	c.u.mu.Lock()
	defer c.u.mu.Unlock()
	for _, h := range all {
		if fn != nil {
			fn(h)
		}
		h.busy = false
	}
}

// mark changes what is known of messages.
func (c *client) mark(all []*held, fn func(*held)) {
	c.u.mu.Lock()
	defer c.u.mu.Unlock()
	for _, h := range all {
		fn(h)
	}
}

// store adds or removes a flag.
func (c *client) store() error {
	b, all, err := c.hold(1+c.r.IntN(8), nil)
	if b == nil {
		return err
	}
	defer c.release(b)
	if len(all) == 0 {
		return nil
	}
	flag := flagNames[c.r.IntN(len(flagNames))]
	sign, want := "+", yes
	if c.r.IntN(3) == 0 {
		sign, want = "-", no
	}
	before := make([]state, len(all))
	for i, h := range all {
		before[i] = h.flags[flag]
	}
	c.mark(all, func(h *held) {
		if h.flags[flag] != want {
			h.flags[flag] = maybe
		}
	})
	r, err := c.do("UID STORE " + uidSet(all) + " " + sign + "FLAGS (" + flag + ")")
	if err != nil {
		return err
	}
	i := 0
	c.let(all, func(h *held) {
		if h.flags[flag] = want; !r.OK() {
			h.flags[flag] = before[i]
		}
		i++
	})
	if r.OK() {
		c.heard(b, r.Untagged)
	}
	return nil
}

// expunge marks messages deleted and expunges them.
func (c *client) expunge() error {
	b, all, err := c.hold(1+c.r.IntN(8), nil)
	if b == nil {
		return err
	}
	defer c.release(b)
	if len(all) == 0 {
		return nil
	}
	c.mark(all, func(h *held) { h.flags[`\Deleted`] = maybe })
	r, err := c.do("UID STORE " + uidSet(all) + ` +FLAGS.SILENT (\Deleted)`)
	if err != nil {
		return err
	}
	if !r.OK() {
		c.let(all, func(h *held) { h.flags[`\Deleted`] = no })
		return nil
	}
	c.mark(all, func(h *held) { h.flags[`\Deleted`], h.is = yes, maybe })
	if r, err = c.do("UID EXPUNGE " + uidSet(all)); err != nil {
		return err
	}
	c.let(all, func(h *held) {
		if h.is = yes; r.OK() {
			h.is = no
			delete(b.msgs, h.id)
		}
	})
	return nil
}

func (c *client) copy() error { return c.transfer("COPY") }
func (c *client) move() error { return c.transfer("MOVE") }

// transfer copies or moves messages into another mailbox. When a MOVE is
// interrupted a message may be in both, never in none (RFC 6851 section 3.3).
func (c *client) transfer(word string) error {
	to := c.use(nil)
	if to == nil {
		return nil
	}
	defer c.release(to)
	b, all, err := c.hold(1+c.r.IntN(8), func(h *held) bool { return to.msgs[h.id] == nil })
	if b == nil {
		return err
	}
	defer c.release(b)
	if len(all) == 0 {
		return nil
	}
	all, copies := c.depart(word, to, all)
	if len(all) == 0 {
		return nil
	}
	r, err := c.do("UID " + word + " " + uidSet(all) + " " + to.name)
	if err != nil {
		return err
	}
	c.transferred(word, b, to, all, copies, r.OK(), copyUID(word, r.Text, r.UntaggedCode))
	return nil
}

// depart enters the copies of messages that are on their way, but for those
// that another client has sent there meanwhile.
func (c *client) depart(word string, to *box, all []*held) (left, copies []*held) {
	c.u.mu.Lock()
	defer c.u.mu.Unlock()
	for _, h := range all {
		if to.msgs[h.id] != nil {
			h.busy = false
			continue
		}
		d := &held{id: h.id, is: maybe, busy: true, flags: maps.Clone(h.flags)}
		to.msgs[h.id] = d
		if word == "MOVE" {
			h.is, h.into = maybe, d
		}
		left, copies = append(left, h), append(copies, d)
	}
	return left, copies
}

// copyUID finds the UIDPLUS code: in the tagged reply of COPY, in an untagged
// one of MOVE.
func copyUID(word, text string, untagged func(string) ([]string, bool)) []string {
	if word == "MOVE" {
		args, _ := untagged("COPYUID")
		return args
	}
	_, rest, _ := strings.Cut(text, "[COPYUID ")
	inside, _, _ := strings.Cut(rest, "]")
	return strings.Fields(inside)
}

func (c *client) transferred(word string, b, to *box, all, copies []*held, ok bool, code []string) {
	if ok && (len(code) != 3 || !slices.Equal(parseSet(code[1]), uids(all))) {
		c.f.add("%s: %s of %s answers COPYUID %q", c.u.name, word, uidSet(all), code)
	}
	var validity string
	var news []uint32
	if len(code) == 3 {
		validity, news = code[0], parseSet(code[2])
	}
	c.arrived(to, copies, validity, news, ok)
	c.let(all, func(h *held) {
		h.into = nil
		if h.is = yes; word == "MOVE" && ok {
			h.is = no
			delete(b.msgs, h.id)
		}
	})
}

func uids(all []*held) (u []uint32) {
	for _, h := range all {
		u = append(u, h.uid)
	}
	return u
}

// learn reads the ids of all messages of a mailbox, for those whose UID is not
// known: those that came by LMTP.
func (c *client) learn() error {
	b, all, err := c.hold(0, nil)
	if b == nil {
		return err
	}
	defer c.release(b)
	c.let(all, nil)
	r, err := c.do("UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (" + strings.TrimSuffix(idHeader, ": ") + ")])")
	if err != nil {
		return err
	}
	c.heard(b, r.Untagged)
	return nil
}
