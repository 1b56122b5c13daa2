// ONNX Runtime's answers against heed's, for each model of a directory:  node run.js DIRECTORY
const fs = require("fs");
const path = require("path");
const ort = require("onnxruntime-node");

const allowed = 1e-5; // relative to the largest number of the answer, where that is above 1

const tensor = (t) => new ort.Tensor("float32", Float32Array.from(t.numbers), t.dims);

async function distance(model, cases) {
  const session = await ort.InferenceSession.create(model);
  let worst = 0;
  for (const { inputs, outputs } of cases) {
    const answers = await session.run(Object.fromEntries(Object.entries(inputs).map(([name, t]) => [name, tensor(t)])));
    for (const [name, expected] of Object.entries(outputs)) {
      const answer = answers[name];
      if (!answer) throw new Error(`${name} is missing`);
      if (answer.dims.join() !== expected.dims.join()) throw new Error(`${name} is ${answer.dims}, expected ${expected.dims}`);
      const scale = expected.numbers.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
      expected.numbers.forEach((x, i) => {
        if (!Number.isFinite(x)) throw new Error(`heed's own ${name} has a value that is not finite`);
        worst = Math.max(worst, Math.abs(x - answer.data[i]) / scale); // NaN stays
      });
    }
  }
  return worst;
}

(async () => {
  const directory = process.argv[2];
  const models = fs.readdirSync(directory).filter((file) => file.endsWith(".onnx"));
  let failures = models.length === 0 ? 1 : 0, worst = 0;
  for (const file of models) {
    const model = path.join(directory, file);
    try {
      const off = await distance(model, JSON.parse(fs.readFileSync(model.replace(/onnx$/, "json"))));
      if (!(off <= allowed)) throw new Error(`off by ${off}`);
      worst = Math.max(worst, off);
    } catch (error) {
      console.error(`${file}: ${error.message}`);
      failures++;
    }
  }
  console.log(`${models.length - failures} of ${models.length} models give heed's numbers, to ${worst.toExponential(1)}`);
  process.exit(failures ? 1 : 0);
})();
