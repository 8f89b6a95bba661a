// Checks a template with cdk-nag's rule packs: node cdk_nag.js TEMPLATE
// Prints one JSON document: the number of rules of each pack, and every finding.
"use strict";

const { App, Aspects, Stack } = require("aws-cdk-lib");
const { CfnInclude } = require("aws-cdk-lib/cloudformation-include");
const nag = require("cdk-nag");

const PACKS = {
  AwsSolutions: nag.AwsSolutionsChecks,
  Serverless: nag.ServerlessChecks,
  "NIST.800.53.R5": nag.NIST80053R5Checks,
  "HIPAA.Security": nag.HIPAASecurityChecks,
  "PCI.DSS.321": nag.PCIDSS321Checks,
};

const findings = [];
const rules = {};

class Collector {
  constructor(pack) {
    this.pack = pack;
    rules[pack] = new Set();
  }

  found(data, text) {
    rules[this.pack].add(data.ruleId);
    findings.push({
      rule: data.ruleId,
      resource: data.resource.node.path.split("/").pop(),
      text,
    });
  }

  onCompliance(data) {
    rules[this.pack].add(data.ruleId);
  }

  onNonCompliance(data) {
    this.found(data, data.ruleInfo);
  }

  // A rule that can't decide is a finding too.
  onError(data) {
    this.found(data, `the rule failed: ${data.errorMessage}`);
  }

  onNotApplicable() {}

  onSuppressed() {}

  onSuppressedError() {}
}

const app = new App({ analyticsReporting: false, outdir: process.argv[3] });
const stack = new Stack(app, "Pipeline");
new CfnInclude(stack, "Template", { templateFile: process.argv[2] });
for (const [name, Pack] of Object.entries(PACKS)) {
  const pack = new Pack({ additionalLoggers: [new Collector(name)], reports: false });
  Aspects.of(app).add(pack);
}
app.synth();
const counts = Object.fromEntries(Object.entries(rules).map(([name, ids]) => [name, ids.size]));
process.stdout.write(`\n${JSON.stringify({ rules: counts, findings })}\n`);
