// Labels of a picture from a file of `pixelwise export`, in JavaScript with onnxruntime-web (browsers,
// Node.js) or onnxruntime-node.
//
// import * as ort from "onnxruntime-web";
// const session = await ort.InferenceSession.create("model.onnx");
// const { classes } = await (await fetch("model.json")).json();
// const labels = await labelPicture(ort, session, context.getImageData(0, 0, width, height));

/** Class ids, row by row, of an ImageData. Like a photo of the training in size; larger ones need
 * tiles, as predict_onnx.py cuts them. */
export async function labelPicture(ort, session, { data, height, width }) {
  const area = height * width;
  const rgb = new Uint8Array(3 * area); // channel by channel, without alpha
  for (let i = 0; i < area; i++) {
    for (let channel = 0; channel < 3; channel++) rgb[channel * area + i] = data[4 * i + channel];
  }
  const pixels = new ort.Tensor("uint8", rgb, [1, 3, height, width]);
  const { logits } = await session.run({ rgb: pixels });
  const labels = new Uint8Array(area);
  for (let id = 1; id < logits.dims[1]; id++) {
    for (let i = 0; i < area; i++) {
      if (logits.data[id * area + i] > logits.data[labels[i] * area + i]) labels[i] = id;
    }
  }
  return labels;
}
