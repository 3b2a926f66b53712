// The runtime's own client class, found through a binding that is of it, over the database's entrypoint.
export const create = ({ template, database }) => new template.constructor(database)
