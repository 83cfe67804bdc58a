"""Turn sensor_msgs/PointCloud2 into numpy arrays and back."""

import array
import sys
from collections.abc import Iterable

import numpy as np
from numpy.lib.recfunctions import structured_to_unstructured, unstructured_to_structured
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

DUMMY_FIELD_PREFIX = 'unnamed_field'

_NUMPY_TYPES = {
    PointField.INT8: np.dtype(np.int8),
    PointField.UINT8: np.dtype(np.uint8),
    PointField.INT16: np.dtype(np.int16),
    PointField.UINT16: np.dtype(np.uint16),
    PointField.INT32: np.dtype(np.int32),
    PointField.UINT32: np.dtype(np.uint32),
    PointField.FLOAT32: np.dtype(np.float32),
    PointField.FLOAT64: np.dtype(np.float64),
}


def read_points(
    cloud: PointCloud2,
    field_names: list[str] | None = None,
    skip_nans: bool = False,
    uvs: Iterable | None = None,
    reshape_organized_cloud: bool = False,
) -> np.ndarray:
    """Read points as a structured array, flat unless the cloud's shape is asked for.

    `uvs` are flat indices of the points wanted. As in the original, NaN points are left out only
    of a cloud that is not dense, an organised cloud comes as (width, height): see create_cloud,
    and bytes in the other order are swapped in the message itself: read such a cloud once.
    """
    assert isinstance(cloud, PointCloud2), f'Expected a PointCloud2, found {type(cloud)}'
    points: np.ndarray = np.ndarray(
        shape=(cloud.width * cloud.height,),
        dtype=dtype_from_fields(cloud.fields, cloud.point_step),
        buffer=cloud.data,
    )
    if field_names is not None:
        _check_present(points, field_names)
        points = points[list(field_names)]
    if cloud.is_bigendian != (sys.byteorder != 'little'):
        points = points.byteswap(inplace=True)
    if skip_nans and not cloud.is_dense:
        points = points[_without_nan(points)]
    if uvs is not None:
        points = points[uvs if isinstance(uvs, np.ndarray) else np.fromiter(uvs, int)]
    if reshape_organized_cloud and cloud.height > 1:
        points = points.reshape(cloud.width, cloud.height)
    return points


def read_points_numpy(
    cloud: PointCloud2,
    field_names: list[str] | None = None,
    skip_nans: bool = False,
    uvs: Iterable | None = None,
    reshape_organized_cloud: bool = False,
) -> np.ndarray:
    """Read points as a plain array, one column per field; all fields must have one type."""
    kinds = [
        field.datatype
        for field in cloud.fields[1:]
        if field_names is None or field.name in field_names
    ]
    # As in the original, the cloud's first field counts even where it is not asked for.
    assert all(kind == cloud.fields[0].datatype for kind in kinds), (
        'All fields need to have one datatype'
    )
    return structured_to_unstructured(
        read_points(cloud, field_names, skip_nans, uvs, reshape_organized_cloud)
    )


def create_cloud(
    header: Header, fields: list[PointField], points: Iterable, point_step: int | None = None
) -> PointCloud2:
    """Make a cloud of an array (structured, or plain with a column per field) or of tuples.

    As in the original, the first axis of a two-dimensional array of points is the width: give an
    organised cloud as a flat array and set height, width and row_step of the result. An empty
    array, or one that is not contiguous, is an error.
    """
    points = _structured(points, fields, point_step)
    assert points.ndim <= 2, 'Points can be organised in two dimensions at most'
    width = points.shape[0]
    # One copy: assigning an array.array to the message is the only way that takes no time.
    data = array.array('B')
    data.frombytes(memoryview(points).cast('B'))
    cloud = PointCloud2(
        header=header,
        height=points.shape[1] if points.ndim == 2 else 1,
        width=width,
        is_dense=False,
        is_bigendian=sys.byteorder != 'little',
        fields=fields,
        point_step=points.dtype.itemsize,
        row_step=points.dtype.itemsize * width,
    )
    cloud.data = data
    return cloud


def create_cloud_xyz32(header: Header, points: Iterable) -> PointCloud2:
    """Make a cloud with the fields x, y and z as float32."""
    fields = [
        PointField(name=name, offset=4 * place, datatype=PointField.FLOAT32, count=1)
        for place, name in enumerate('xyz')
    ]
    return create_cloud(header, fields, points)


def dtype_from_fields(fields: Iterable[PointField], point_step: int | None = None) -> np.dtype:
    """Give the structured dtype of a point; a field with a count becomes name_0, name_1, ..."""
    names: list[str] = []
    offsets: list[int] = []
    formats: list[np.dtype] = []
    for place, field in enumerate(fields):
        name = field.name or f'{DUMMY_FIELD_PREFIX}_{place}'
        datatype = _NUMPY_TYPES[field.datatype]
        assert field.count > 0, f'Field {name} has count 0'
        for number in range(field.count):
            part = f'{name}_{number}' if field.count > 1 else name
            assert part not in names, f'Two fields have the name {part}'
            names.append(part)
            offsets.append(field.offset + number * datatype.itemsize)
            formats.append(datatype)
    layout = {'names': names, 'formats': formats, 'offsets': offsets}
    if point_step is not None:
        layout['itemsize'] = point_step
    return np.dtype(layout)


def _check_present(points: np.ndarray, field_names: Iterable[str]) -> None:
    assert all(name in points.dtype.names for name in field_names), (
        f'Requested fields {list(field_names)} are not all among {points.dtype.names}'
    )


def _without_nan(points: np.ndarray) -> np.ndarray:
    keep = np.ones(len(points), dtype=bool)
    for name in points.dtype.names:
        keep &= ~np.isnan(points[name])
    return keep


def _structured(points: Iterable, fields: list[PointField], point_step: int | None) -> np.ndarray:
    if not isinstance(points, np.ndarray):
        return np.array(list(map(tuple, points)), dtype=dtype_from_fields(fields, point_step))
    if points.dtype.names is None:
        assert all(field.datatype == fields[0].datatype for field in fields[1:]), (
            'Fields of several datatypes need a structured array'
        )
        return unstructured_to_structured(points, dtype=dtype_from_fields(fields, point_step))
    dtype = dtype_from_fields(fields, point_step)
    assert points.dtype == dtype, (
        f'The dtype of the points, {points.dtype}, is not that of the fields, {dtype}'
    )
    return points
