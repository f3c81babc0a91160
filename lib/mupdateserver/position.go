package mupdateserver

import (
	"fmt"
	"io"
	"os"
	"time"

	"gocyrus/lib/etcdtable"
	"gocyrus/lib/log"
	"gocyrus/lib/mappedfile"
)

// The position of a mirror is a line of a file of its own,
//
//	ID CLUSTER REVISION GENERATION
//
// the last of which is the list's: while it is the same, nothing has changed in the
// list since, and only what is younger than REVISION need be read. A process that
// is killed leaves a list with another generation; then the line says whose mirror
// the list is, and no more.

// saveEvery is how often the position is written while there are changes.
const saveEvery = 10 * time.Second

const positionForm = "%s %x %d %d\n"

// save writes the position, unless the list is not what it should be.
func (m *mirror) save() {
	p := m.position()
	gen, ok := m.table.settled()
	if !ok || p.Revision == 0 {
		return
	}
	m.saved = time.Now()
	err := mappedfile.Replace(m.file, 0o600, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, positionForm, p.ID, p.Cluster, p.Revision, gen)
		return err
	})
	if err != nil {
		log.Warning("IOERROR: %s: %v", m.file, err) // all is read next time
	}
}

// loadPosition reads it; where there is none that can be read it is that of no
// table.
func loadPosition(file string) (p etcdtable.Position, gen uint64) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return p, 0
	}
	if n, err := fmt.Sscanf(string(raw), positionForm, &p.ID, &p.Cluster, &p.Revision, &gen); n != 4 || err != nil {
		log.Warning("%s: cannot be read", file)
		return etcdtable.Position{}, 0
	}
	return p, gen
}
