"""What a user writes instead of `samebits predict`: reads a table with pandas, asks the run's model as MLflow loads it, writes CSV.

python plain_predict.py RUN_ID TABLE OUTPUT
"""

import sys

import mlflow
import numpy as np
import pandas as pd


def main(run_id: str, table: str, output: str) -> None:
    client = mlflow.MlflowClient()
    model_id = client.get_run(run_id).outputs.model_outputs[0].model_id
    model = mlflow.sklearn.load_model(f"models:/{model_id}")
    frame = pd.read_csv(table)
    probability = model.predict_proba(frame)[:, 1]
    predicted = model.classes_[(probability >= 0.5).astype(int)]  # without asking the model a second time
    pd.DataFrame({"row": np.arange(len(frame)), "predicted": predicted, "probability": probability}).to_csv(output, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
