package config

// indirectNames are the options that are read by a name no call spells out,
// such as one put together from a part and "_db_path".
const indirectNames = `
`
