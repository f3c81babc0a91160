package idle

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// Kinds of a datagram, with 3.6's numbers.
const (
	kindStart  = iota // init: this process watches
	kindStop          // done
	kindNotify        // a mailbox has changed
	kindNoop
	kindAlert // look at msg/shutdown
)

var kindNames = [...]string{"start", "stop", "notify", "noop", "alert"}

// filterSelected is 3.10's word for keys that are unique ids of mailboxes.
const filterSelected = 1

// Events of mboxevent.h that change what a session sees of a mailbox: messages
// new, gone, or with other flags.
const (
	allEvents = 1<<0 | 1<<1 | 1<<2 | 1<<3 | 1<<4 | 1<<5 | 1<<9 | 1<<10 | 1<<11 | 1<<12
	anyEvent  = "MessageNew"
)

// maxDatagram bounds what is read and sent.
const maxDatagram = 64 << 10

// datagram is one message, of either form.
type datagram struct {
	kind   int
	binary bool // 3.6's form: keys are mailbox names
	pid    int
	filter int
	keys   []string // notify has one
	more   bool     // start: beside the keys told before, a word of ours
	text   string   // alert
	raw    []byte   // as it came, to be passed on
}

var errDatagram = errors.New("invalid message received")

const sizeLen = 8

// object is the JSON of every kind.
type object struct {
	Type    string   `json:"@type"`
	Event   string   `json:"event,omitempty"`
	PID     int      `json:"pid,omitempty"`
	Events  int64    `json:"events,omitempty"`
	Timeout int64    `json:"timeout"`
	Filter  int      `json:"filter,omitempty"`
	Keys    []string `json:"keys,omitempty"`
	More    bool     `json:"more,omitempty"`
	Message string   `json:"message,omitempty"`

	MailboxID       string `json:"mailboxID,omitempty"`       // 3.10
	MailboxUniqueID string `json:"mailboxUniqueId,omitempty"` // later
}

// parse reads a datagram. 3.6's form begins with a kind, which is less than
// any length that 3.10's can begin with.
func parse(b []byte) (datagram, error) {
	if len(b) <= sizeLen {
		return datagram{}, fmt.Errorf("%w: size=%d", errDatagram, len(b))
	}
	size := binary.NativeEndian.Uint64(b)
	if size <= kindAlert {
		return parseBinary(int(size), b)
	}
	if size != uint64(len(b)-sizeLen) {
		return datagram{}, fmt.Errorf("%w: size=%d", errDatagram, len(b))
	}
	return parseJSON(b)
}

func parseBinary(kind int, b []byte) (datagram, error) {
	name, rest, ended := bytes.Cut(b[sizeLen:], []byte{0})
	if !ended || len(rest) > 0 {
		return datagram{}, fmt.Errorf("%w: size=%d", errDatagram, len(b))
	}
	return datagram{kind: kind, binary: true, filter: filterSelected, keys: []string{string(name)}, raw: b}, nil
}

func parseJSON(b []byte) (datagram, error) {
	var o object
	if err := json.Unmarshal(b[sizeLen:], &o); err != nil {
		return datagram{}, fmt.Errorf("%w: %w", errDatagram, err)
	}
	d := datagram{kind: -1, pid: o.PID, filter: o.Filter, keys: o.Keys, more: o.More, text: o.Message, raw: b}
	for kind, name := range kindNames {
		if o.Type == name {
			d.kind = kind
		}
	}
	if d.kind < 0 {
		return datagram{}, fmt.Errorf("%w: unrecognized message: %q", errDatagram, o.Type)
	}
	if d.kind == kindNotify {
		d.keys = nil
		if id := o.MailboxUniqueID + o.MailboxID; o.MailboxUniqueID == "" || o.MailboxID == "" {
			d.keys = appendKey(d.keys, id)
		} else {
			// Later versions tell two ids apart; a watcher may know either.
			d.keys = appendKey(appendKey(d.keys, o.MailboxUniqueID), o.MailboxID)
		}
	}
	return d, nil
}

func appendKey(keys []string, key string) []string {
	if key == "" {
		return keys
	}
	return append(keys, key)
}

// pack puts an object into a datagram.
func pack(o object) []byte {
	body, err := json.Marshal(o)
	if err != nil {
		panic("idle: " + err.Error()) // strings and numbers only
	}
	return append(binary.NativeEndian.AppendUint64(make([]byte, 0, sizeLen+len(body)), uint64(len(body))), body...)
}

// packBinary is 3.6's form.
func packBinary(kind int, name string) []byte {
	b := binary.NativeEndian.AppendUint64(nil, uint64(kind))
	return append(append(b, name...), 0)
}

func packStart(pid int, keys []string, more bool) []byte {
	return pack(object{Type: "start", PID: pid, Events: allEvents, Filter: filterSelected, Keys: keys, More: more})
}

func packStop(pid int, keys []string) []byte {
	return pack(object{Type: "stop", PID: pid, Filter: filterSelected, Keys: keys})
}

func packNotify(pid int, key string) []byte {
	return pack(object{Type: "notify", Event: anyEvent, PID: pid, MailboxID: key})
}

func packAlert(pid int, text string) []byte {
	return pack(object{Type: "alert", PID: pid, Message: text})
}
