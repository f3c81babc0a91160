package main

import "strings"

func searchRows(z sizes) []row {
	return []row{
		{name: "SEARCH flag", needs: []fixture{theBenchUser, bigBox}, run: func(l *lap) error {
			return l.search("bigbox", "UNSEEN", l.z.bigBox-every(l.z.bigBox, 3), "SEARCH UNSEEN in "+k(l.z.bigBox))
		}},
		{name: "SEARCH header", needs: []fixture{theBenchUser, box}, run: func(l *lap) error {
			return l.search("box", "HEADER SUBJECT "+needle, every(l.z.box, needleStep), "SEARCH HEADER SUBJECT in "+k(l.z.box))
		}},
		{name: "SEARCH body", needs: []fixture{theBenchUser, mixBox}, run: func(l *lap) error {
			return l.search("mix", "BODY "+bodyWord, every(l.z.mix, bodyStep), "SEARCH BODY in "+k(l.z.mix)+" mixed messages")
		}},
	}
}

// search times a SEARCH that finds want messages.
func (l *lap) search(mailbox, key string, want int, label string) error {
	c, err := l.selected(benchUser, mailbox)
	if err != nil {
		return err
	}
	defer c.Close()
	found := ""
	err = l.time(label, 1, func() error {
		_, err := c.do("UID SEARCH "+key, func(r response) {
			if rest, ok := strings.CutPrefix(string(r.text), "* SEARCH"); ok {
				found = rest
			}
		})
		return err
	})
	if err != nil {
		return err
	}
	uids := strings.Fields(found)
	l.asCyrus("UIDs found", sum(0, []byte(strings.Join(uids, " "))))
	return expect("messages found", len(uids), want)
}
