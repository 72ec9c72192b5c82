//! What a kernel is told when it is launched. The GPU itself is behind a door, [`Gpu`], so that all this is compiled, and tested,
//! where there is no CUDA.

#![cfg_attr(
    not(any(feature = "cuda", test)),
    allow(dead_code, reason = "called where there is a GPU")
)]

use candle_core::{Layout, Result, bail};

use super::{Call, Inputs};

/// Threads a block.
pub(crate) const BLOCK: u32 = 256;

/// A device that runs kernels by name.
pub(crate) trait Gpu {
    /// A tensor's memory.
    type Storage;
    /// Numbers, and keys of random streams, that a kernel reads; and what it writes.
    type Values<'a>;
    type Keys<'a>;
    type Out<'a>;

    /// Values `first..last` of a tensor's memory.
    fn values(storage: &Self::Storage, first: usize, last: usize) -> Result<Self::Values<'_>>;

    /// The same of whole numbers.
    fn keys(storage: &Self::Storage, first: usize, last: usize) -> Result<Self::Keys<'_>>;

    /// Launches a kernel. It writes `out`, and reads no more of the other tensors than the sizes say.
    fn run(
        &self,
        out: &mut Self::Out<'_>,
        arguments: &Arguments<Self::Values<'_>, Self::Keys<'_>>,
    ) -> Result<()>;
}

/// All that a kernel is told, in the order of `ARGUMENTS` in `kernels.cu`, but for what it writes.
#[derive(Debug)]
#[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "read where there is a GPU"))]
pub(crate) struct Arguments<V, K> {
    pub(crate) kernel: &'static str,
    /// Blocks of [`BLOCK`] threads.
    pub(crate) blocks: u32,
    /// Tensors a to d.
    pub(crate) values: [Option<V>; 4],
    pub(crate) keys: Option<K>,
    /// Models, rows, width.
    pub(crate) sizes: [u32; 3],
    /// Step, layer.
    pub(crate) places: [u32; 2],
    /// x, y.
    pub(crate) factors: [f32; 2],
}

/// Launches a kernel that writes `out`, of the length beside it.
pub(crate) fn launch<G: Gpu>(
    gpu: &G,
    call: &Call,
    (out, length): (&mut G::Out<'_>, usize),
    inputs: &Inputs<'_, G::Storage>,
) -> Result<()> {
    let mut values = [const { None }; 4];
    for (value, input) in values.iter_mut().zip(&inputs.values) {
        if let Some((storage, layout)) = input {
            let (first, last) = contiguous(call, layout)?;
            *value = Some(G::values(storage, first, last)?);
        }
    }
    let keys = match inputs.keys {
        None => None,
        Some((storage, layout)) => {
            let (first, last) = contiguous(call, layout)?;
            Some(G::keys(storage, first, last)?)
        }
    };
    // Kernels count in 32 bits.
    let count = |value: usize| match u32::try_from(value) {
        Ok(value) => Ok(value),
        Err(_) => bail!("{}: {value} is too much for one kernel", call.kernel),
    };
    count(length)?;
    let arguments = Arguments {
        kernel: call.kernel,
        blocks: count(call.threads)?.div_ceil(BLOCK).max(1),
        values,
        keys,
        sizes: [count(call.models)?, count(call.rows)?, count(call.width)?],
        places: [call.step, call.layer],
        factors: [call.x, call.y],
    };
    gpu.run(out, &arguments)
}

fn contiguous(call: &Call, layout: &Layout) -> Result<(usize, usize)> {
    match layout.contiguous_offsets() {
        Some(offsets) => Ok(offsets),
        None => bail!("{}: expected a contiguous tensor, got {:?}", call.kernel, layout.shape()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use candle_core::Shape;

    use super::*;

    /// Writes down what it is told.
    #[derive(Default)]
    struct Recorder(RefCell<Vec<String>>);

    impl Gpu for Recorder {
        type Storage = Vec<f32>;
        type Values<'a> = &'a [f32];
        type Keys<'a> = &'a [f32];
        type Out<'a> = Vec<f32>;

        fn values(storage: &Vec<f32>, first: usize, last: usize) -> Result<&[f32]> {
            Ok(&storage[first..last])
        }

        fn keys(storage: &Vec<f32>, first: usize, last: usize) -> Result<&[f32]> {
            Ok(&storage[first..last])
        }

        fn run(&self, _: &mut Vec<f32>, arguments: &Arguments<&[f32], &[f32]>) -> Result<()> {
            self.0.borrow_mut().push(format!("{arguments:?}"));
            Ok(())
        }
    }

    #[test]
    fn kernels_are_told_shapes_blocks_and_tensors() {
        let (gpu, values) = (Recorder::default(), vec![1.0, 2.0, 3.0, 4.0]);
        let part = Layout::contiguous_with_offset((1, 2), 1);
        let call = Call {
            kernel: "sum_rows",
            threads: 257,
            models: 1,
            rows: 2,
            width: 3,
            step: 4,
            layer: 5,
            x: 6.0,
            y: 7.0,
        };
        let inputs = Inputs::new([Some((&values, &part))]);
        launch(&gpu, &call, (&mut Vec::new(), 3), &inputs).unwrap();
        assert_eq!(
            gpu.0.borrow()[0],
            "Arguments { kernel: \"sum_rows\", blocks: 2, values: [Some([2.0, 3.0]), None, None, None], keys: None, \
             sizes: [1, 2, 3], places: [4, 5], factors: [6.0, 7.0] }"
        );
        let large = Call { rows: 1 << 32, ..call };
        let error = launch(&gpu, &large, (&mut Vec::new(), 3), &inputs).unwrap_err().to_string();
        assert!(error.contains("4294967296 is too much"), "{error}");
        let turned = Layout::new(Shape::from((2, 2)), vec![1, 2], 0);
        let inputs = Inputs::new([Some((&values, &turned))]);
        let error = launch(&gpu, &call, (&mut Vec::new(), 3), &inputs).unwrap_err().to_string();
        assert!(error.contains("contiguous"), "{error}");
    }
}
