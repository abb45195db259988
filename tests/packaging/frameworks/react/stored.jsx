import { connect } from 'highwater';
import { useSuspenseStream } from 'highwater/react';
import { Suspense } from 'react';
import { createRoot } from 'react-dom/client';

const client = connect({ name: 'stored', topics: ['space:42:**'], after: 'earliest' });
const counter = { initial: 0, reduce: (total, { data }) => total + data.amount, client };

function Counter() {
    const { status, state } = useSuspenseStream('space:42:counter', counter);
    return <p>{`${status} ${state}`}</p>;
}

createRoot(document.getElementById('root')).render(
    <Suspense fallback={<p>Loading</p>}>
        <Counter />
    </Suspense>,
);
