package config

// annotationOptions concern annotations.
var annotationOptions = []Option{
	{Name: "annotation_allow_undefined", Type: Switch, Default: "no", Since: "2.5.0", Changed: "2.5.0",
		Help: "let clients set entries nobody declared"},
	{Name: "annotation_callout", Type: String, Null: true, Since: "2.5.0", Changed: "2.5.0",
		Help: "program or socket asked for flags/annotations on every append"},
	{Name: "annotation_callout_disable_append", Type: Switch, Default: "no", Since: "3.2.0", Changed: "3.1.2",
		Help: "skip that callout on append, leaving XRUNANNOTATOR"},
	{Name: "annotation_db", Type: StringList, Default: "twoskip", Since: "2.3.17", Changed: "3.1.6",
		Allowed: words("skiplist twoskip zeroskip"),
		Help:    "format of the annotation databases"},
	{Name: "annotation_db_path", Type: String, Null: true, Since: "2.4.9", Changed: "2.5.0",
		Help: "location of the global annotation db; unset means configdirectory/annotations.db"},
	{Name: "annotation_definitions", Type: String, Null: true, Since: "2.3.17", Changed: "2.5.0",
		Help: "file declaring extra entries: name, scope, type, proxy type, attributes, extra rights"},
	{Name: "annotation_enable_legacy_commands", Type: Switch, Default: "no", Since: "3.2.0", Changed: "3.1.6",
		Help: "keep GETANNOTATION/SETANNOTATION and advertise ANNOTATEMORE"},
	{Name: "specialuse_extra", Type: String, Null: true, Since: "2.5.0", Changed: "2.5.0",
		Help: "additional special-use names accepted"},
	{Name: "specialuse_nochildren", Type: String, Default: "\\Scheduled \\Snooze", Since: "3.6.0", Changed: "3.6.0",
		Help: "special uses that may not have child mailboxes"},
	{Name: "specialuse_protect", Type: String, Default: "\\Archive \\Drafts \\Important \\Junk \\Sent \\Scheduled \\Snooze \\Trash", Since: "3.2.0", Changed: "3.1.7",
		Help: "special uses whose mailboxes may not be deleted or reparented"},
	{Name: "specialusealways", Type: Switch, Default: "yes", Since: "2.4.14", Changed: "3.1.1",
		Help: "put special-use flags in every LIST and LSUB answer"},
}
