import { readdirSync } from 'node:fs';
import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { ACCESS, authorize, type Principal, principalOfAltNames, type Role, ROLES, uriOf } from '../../../src/rpc/access.js';

/** Who may do what, once more and by hand: a slip in the table under test must not be a slip here. */
const MAY: Readonly<Record<Role, RegExp>> = {
  client: /^(SeqService\/|RouteService\/|Health\/)/,
  alloc: /^(SeqService\/|StoreService\/|HandoffService\/|RouteService\/|Health\/)/,
  store: /^(PeerService\/|AdminService\/GetStatus$|RouteService\/|Health\/)/,
  admin: /^(SeqService\/|RouteService\/|AdminService\/|PlacementService\/|Health\/)/,
  monitor: /^(RouteService\/|AdminService\/(GetStatus|ListMembers)$|PlacementService\/(Get|List)|Health\/)/,
};

describe('who may call what', () => {
  let methods: string[] = [];

  before(async () => {
    methods = await methodsOfAllServices();
  });

  it('has a rule for every method of every service on the wire, and none for what is not there', () => {
    expect([...ACCESS.keys()].sort()).to.deep.equal(methods.sort());
  });

  it('lets each role call its own methods and no other: the whole matrix', () => {
    for (const method of methods) {
      const short = method.replace(/^\/.*\.(\w+\/\w+)$/, '$1');
      for (const role of ROLES) {
        expect(verdict(method, { name: 'x', role }), `${role} calls ${short}`).to.equal(MAY[role].test(short) ? 'ok' : 'PERMISSION_DENIED');
      }
    }
  });

  it('lets nobody without a name do more than ask whether a server is well', () => {
    for (const method of methods) expect(verdict(method, undefined), method).to.equal(method.includes('Health/') ? 'ok' : 'UNAUTHENTICATED');
  });

  it('denies everybody a method that has no rule', () => {
    for (const role of ROLES) expect(verdict('/seqsvr.v1.SeqService/Brandnew', { name: 'x', role })).to.equal('PERMISSION_DENIED');
  });

  it('writes every change that an operator makes to the audit trail, and nothing that every client does', () => {
    const audited = methods.filter((method) => ACCESS.get(method)?.isAudited);
    expect(audited.map((method) => method.replace(/.*\//, '')).sort()).to.deep.equal(
      ['AddMember', 'PromoteMember', 'RemoveMember', 'UpdateMember', 'TransferLeader', 'Rejoin', 'SaveSnapshot']
        .concat(['MoveSections', 'Rebalance', 'SetPolicy', 'SetLease', 'DrainAlloc', 'RemoveAlloc', 'SetSets'])
        .sort(),
    );
  });

  it('says who was denied what, and what it takes', () => {
    expect(() => authorize('/seqsvr.v1.SeqService/Next', { name: 'scraper', role: 'monitor' })).to.throw(
      "monitor 'scraper' may not call /seqsvr.v1.SeqService/Next: it takes the role client or alloc or admin",
    );
  });
});

describe('the principal in a certificate', () => {
  for (const role of ROLES) {
    it(`reads ${role} from its URI`, () => {
      expect(principalOfAltNames(`DNS:a.example, URI:${uriOf({ role, name: 'a-1' })}, IP Address:127.0.0.1`)).to.deep.equal({ role, name: 'a-1' });
    });
  }

  for (const [why, altNames] of [
    ['no names at all', undefined],
    ['no URI of ours', 'DNS:a.example, URI:https://a.example/'],
    ['a role that there is not', 'URI:seqsvr://root/a'],
    ['no name', 'URI:seqsvr://admin/'],
    ['a name that is none', 'URI:seqsvr://admin/a/b'],
    ['two of them, for which one counts would be a guess', 'URI:seqsvr://client/a, URI:seqsvr://admin/a'],
    ['one of them broken', 'URI:seqsvr://client/a, URI:seqsvr://root/a'],
    ['a host name that plays a URI', 'DNS:"x, URI:seqsvr://admin/a, y"'],
    ['capital letters', 'URI:seqsvr://ADMIN/a'],
    ['a line break', 'URI:seqsvr://admin/a\n'],
  ] as const) {
    it(`believes none with ${why}`, () => {
      expect(principalOfAltNames(altNames)).to.equal(undefined);
    });
  }
});

function verdict(method: string, principal: Principal | undefined): string {
  try {
    authorize(method, principal);
    return 'ok';
  } catch (error) {
    return SeqError.is(error) ? error.code : String(error);
  }
}

/** From the code that is generated from the .proto files: a service that somebody adds is in it. */
async function methodsOfAllServices(): Promise<string[]> {
  const folder = new URL('../../../src/rpc/gen/', import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => /(?<!\.d)\.[jt]s$/.test(file));
  const modules = await Promise.all(files.map((file) => import(new URL(file, folder).href) as Promise<Record<string, unknown>>));
  return modules.flatMap((module) =>
    Object.entries(module)
      .filter(([name]) => name.endsWith('Service'))
      .flatMap(([, service]) => Object.values(service as Record<string, { readonly path: string }>).map(({ path }) => path)),
  );
}
