"use strict";
// reference/, the plain twins, in WebAssembly: each function gives walk/wasm/twins.cpp a list of
// numbers and reads one. An array is {shape, values}; none is null.

async function openTwins(bytes) {
  const module = await WebAssembly.compile(bytes);
  const imports = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    imports[from] = imports[from] || {};
    imports[from][name] = () => 0;
  }
  const { exports } = await WebAssembly.instantiate(module, imports);
  exports._initialize();

  // Throws where reference/ refuses a shape or an option.
  function call(name, ...parts) {
    const list = parts.flat();
    const at = exports.twin_list(list.length);
    new Float64Array(exports.memory.buffer, at, list.length).set(list);
    let answer;
    try {
      answer = exports["twin_" + name]();
    } catch (e) {
      throw new Error("the plain twin refuses these numbers");
    }
    const length = new Float64Array(exports.memory.buffer, answer, 1)[0];
    return new Float64Array(exports.memory.buffer, answer + 8, length).slice();
  }
  const array = a => (a ? [a.shape.length, ...a.shape, ...a.values] : [0]);
  const split = (values, ...lengths) => lengths.map((n, i) => {
    const begin = lengths.slice(0, i).reduce((a, b) => a + b, 0);
    return values.slice(begin, begin + n);
  });

  return {
    conv2d: ({ src, weight, bias = null, stride = [1, 1], padding = [0, 0, 0, 0], dilation = [1, 1],
               groups = 1 }) =>
      call("conv2d", array(src), array(weight), array(bias), stride, padding, dilation, groups),
    pool2d: ({ src, max, kernel, stride, padding = [0, 0, 0, 0], counts = true, ceil = false }) =>
      call("pool2d", +max, +counts, +ceil, array(src), kernel, stride, padding),
    frozenBatchNorm: ({ src, weight, bias, mean, var: variance, epsilon }) =>
      call("frozen_batch_norm", array(src), array(weight), array(bias), array(mean), array(variance),
           epsilon),
    batchNorm: ({ src, weight, bias, epsilon }) => {
      const channels = weight.values.length, n = src.values.length;
      const [dst, mean, variance] =
          split(call("batch_norm", array(src), array(weight), array(bias), epsilon), n, channels, channels);
      return { dst, mean, var: variance };
    },
    softmax: ({ src }) => call("softmax", array(src)),
    winograd: ({ d, g }) => {
      const [input, weight, product, output] = split(
          call("winograd", array({ shape: [1, 1, 4, 4], values: d }), array({ shape: [1, 1, 3, 3], values: g })),
          16, 16, 16, 4);
      return { input, weight, product, output };
    },
    sgd: ({ weight, velocity, gradient, rate, momentum, decay }) => {
      const flat = values => array({ shape: [values.length], values });
      const [next, speed] = split(
          call("sgd", flat(weight), flat(velocity), flat(gradient), rate, momentum, decay), weight.length,
          weight.length);
      return { weight: next, velocity: speed };
    },
    conv2dBackward: ({ src, weight, dy, stride = [1, 1], padding = [0, 0, 0, 0], dilation = [1, 1],
                       groups = 1 }) => {
      const [dSrc, dWeight, dBias] = split(
          call("conv2d_backward", array(src), array(weight), array(dy), stride, padding, dilation, groups),
          src.values.length, weight.values.length, weight.shape[0]);
      return { src: dSrc, weight: dWeight, bias: dBias };
    },
  };
}

if (typeof module !== "undefined") module.exports = { openTwins };
