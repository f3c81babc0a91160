package mailbox

import "gocyrus/lib/annotate"

// Annotations reads the annotations of many messages: the database is opened for
// the first and stays open until Close.
type Annotations struct{ a *annots }

// Annotations starts to read. It is for one goroutine and need not end with the
// view.
func (v *View) Annotations() *Annotations { return &Annotations{v.m.annots()} }

// Close gives the database up.
func (x *Annotations) Close() { x.a.close() }

// Of are the annotations of a message that have a value, in order of entries and
// users.
func (x *Annotations) Of(uid uint32) (all []Annot, err error) {
	err = x.a.of(uid, func(k annotate.Key, v annotate.Value) error {
		all = append(all, Annot{k.Entry, k.User, append([]byte{}, v.Data...)})
		return nil
	})
	return all, err
}
