import * as v from 'valibot'
import { networkProblem } from '../../src/core/networks.ts'

const network = v.pipe(
  v.string(),
  v.check(
    text => networkProblem(text) === undefined,
    issue => networkProblem(issue.input) ?? '',
  ),
)

/** A list of addresses and networks (CIDR), IPv4 and IPv6. */
export const networkList = v.pipe(v.array(network), v.maxLength(10_000, 'At most 10,000 networks.'))
