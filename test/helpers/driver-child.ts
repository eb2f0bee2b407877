/** The process that `runElsewhere` starts: opens a driver and does one job. */
import { runJob } from '../../src/drivers/conformance/job.ts';
import { driverFactory } from '../../src/drivers/registry.ts';

const { name, home, runHome, job } = JSON.parse(process.argv[2] ?? '');
const factory = await driverFactory(name);
const driver = await factory.open({ home, runHome, options: [], warn: () => {} });
process.stdout.write(await runJob(driver, job));
