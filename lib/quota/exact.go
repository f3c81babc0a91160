package quota

import "gocyrus/lib/mboxname"

// SetExact gives a root limits and modseq that another server has decided, and
// makes it when there is none; made says so.
func (d *DB) SetExact(name mboxname.Name, limits [NumResources]int64, modseq uint64) (made bool, err error) {
	err = d.change(name, true, func(q *Root) error {
		made = q.made
		q.exact, q.Limit, q.ModSeq = true, limits, modseq
		return nil
	})
	return made, err
}

// ChargeExact is Charge for what another server has done: the modseq of the root is
// that server's, and stays.
func (d *DB) ChargeExact(name mboxname.Name, delta Usage) error {
	return d.charge(name, delta, true)
}
